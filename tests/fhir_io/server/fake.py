"""A small FHIR server for tests: search with paging, bulk export, tokens, and every way to fail.

It listens on a free port of the loopback interface. What it should do wrong is set on it by name.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet

Json = dict[str, Any]
START = "2024-05-01T00:00:00Z"


@dataclass
class Asked:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Reply:
    """An answer; ``declared`` lies about its length, ``cut`` ends it early, ``drip`` sends a byte a while."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    declared: int | None = None
    cut: int | None = None
    drip: float | None = None
    drip_headers: bool = False


def answer(content: Any, status: int = 200, **headers: str) -> Reply:
    """JSON."""
    named = {"Content-Type": "application/fhir+json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return Reply(status, json.dumps(content).encode(), named)


def ndjson(*resources: Json) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in resources)


class Fake:
    """Resources by type, an export of them, and hooks that answer first: ``hooks[path](asked)``."""

    def __init__(self) -> None:
        self.records: dict[str, list[Json]] = {}
        self.deleted: list[tuple[str, str]] = []
        self.page = 2
        self.hooks: dict[str, Callable[[Asked], Reply | None]] = {}
        self.asked: list[Asked] = []
        self.types: list[str] | None = None
        self.histories = True
        # tokens
        self.public_keys: KeySet | None = None
        self.token_life = 300
        self.tokens: list[str] = []
        self.assertions: list[Json] = []
        self.clock_ahead = 0.0
        # the export
        self.get_kick_off = True
        self.polls = 1
        self.retry_after = "1"
        self.files: dict[str, bytes] = {}
        self.manifest: Json | None = None
        self.removed = 0
        self.jobs = 0
        self._left = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base(self) -> str:
        return self.origin + "/fhir"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, *resources: Json, updated: str = START) -> None:
        for resource in resources:
            kept = self.records.setdefault(resource["resourceType"], [])
            kept[:] = [r for r in kept if r["id"] != resource["id"]]
            kept.append(resource | {"meta": {"lastUpdated": updated}})

    def delete(self, kind: str, identity: str) -> None:
        self.records[kind] = [r for r in self.records[kind] if r["id"] != identity]
        self.deleted.append((kind, identity))

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def to(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def now(self) -> float:
        return time.time() + self.clock_ahead

    # what it answers

    def reply(self, asked: Asked) -> Reply:
        hook = self.hooks.get(asked.path)
        made = hook(asked) if hook else None
        if made is not None:
            return made
        if asked.path == "/token":
            return self._token(asked)
        if asked.path == "/fhir/.well-known/smart-configuration":
            return answer({"token_endpoint": self.origin + "/token", "capabilities": ["permission-v2"]})
        public = asked.path.startswith("/open/")
        if self.public_keys is not None and not public:
            shown = asked.headers.get("authorization", "")
            if not self.tokens or shown != f"Bearer {self.tokens[-1]}":
                return answer({"resourceType": "OperationOutcome"}, 401)
        if asked.path == "/fhir/metadata":
            return self._metadata()
        if asked.path.endswith("$export"):
            return self._kick_off(asked)
        if asked.path == "/job":
            return self._job(asked)
        if asked.path in self.files:
            return self._file(asked)
        parts = asked.path.split("/")
        if len(parts) == 4 and parts[3] == "_history":
            return self._history(parts[2])
        if len(parts) == 3 and parts[1] == "fhir":
            return self._search(parts[2], asked)
        return answer({"resourceType": "OperationOutcome"}, 404)

    def _metadata(self) -> Reply:
        if self.types is None:
            return answer({}, 404)
        codes = ["read", "search-type", *(["history-type"] if self.histories else [])]
        kinds = [{"type": t, "interaction": [{"code": c} for c in codes]} for t in self.types]
        return answer(
            {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": kinds}]}
        )

    def _search(self, kind: str, asked: Asked) -> Reply:
        if self.types is not None and kind not in self.types:
            return answer({"resourceType": "OperationOutcome"}, 404)
        found = self.records.get(kind, [])
        since = asked.query.get("_lastUpdated", "").removeprefix("ge")
        found = [r for r in found if not since or r["meta"]["lastUpdated"] >= since]
        start = int(asked.query.get("cursor", 0))
        entries = [{"resource": r, "search": {"mode": "match"}} for r in found[start : start + self.page]]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries}
        if start + self.page < len(found):
            more = f"{self.base}/{kind}?cursor={start + self.page}"
            bundle["link"] = [
                {"relation": "next", "url": more + (f"&_lastUpdated=ge{since}" if since else "")}
            ]
        return answer(bundle)

    def _history(self, kind: str) -> Reply:
        gone = [{"request": {"method": "DELETE", "url": f"{k}/{i}"}} for k, i in self.deleted if k == kind]
        kept = [
            {"resource": r, "request": {"method": "PUT", "url": f"{kind}/{r['id']}"}}
            for r in self.records.get(kind, [])
        ]
        return answer({"resourceType": "Bundle", "type": "history", "entry": gone + kept})

    def _token(self, asked: Asked) -> Reply:
        form = {k: v[0] for k, v in parse_qs(asked.body.decode()).items()}
        assert self.public_keys is not None
        try:
            token = jwt.decode(form["client_assertion"], self.public_keys, algorithms=["ES384", "RS384"])
        except Exception:
            return answer({"error": "invalid_client"}, 401)
        if not self.now() < token.claims["exp"] <= self.now() + 300:
            return answer({"error": "invalid_client"}, 401)
        self.assertions.append({"header": token.header, "claims": token.claims, "form": form})
        self.tokens.append(f"secret-token-{len(self.tokens)}")
        made = {"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": self.token_life}
        return answer(made)

    # the export

    def export_all(self, *, folder: str = "/files", count: bool = True, **more: Any) -> None:
        """Put all records into one file a type, and write the manifest."""
        output = []
        for kind, resources in self.records.items():
            self.files[f"{folder}/{kind}.ndjson"] = ndjson(*resources)
            entry: Json = {"type": kind, "url": f"{self.origin}{folder}/{kind}.ndjson"}
            output.append(entry | ({"count": len(resources)} if count else {}))
        base = {"transactionTime": "2024-05-02T00:00:00+00:00", "requiresAccessToken": folder == "/files"}
        self.manifest = base | {"request": self.base, "output": output, "deleted": [], "error": []} | more

    def _kick_off(self, asked: Asked) -> Reply:
        if asked.method == "GET" and not self.get_kick_off:
            return answer({"resourceType": "OperationOutcome"}, 405)
        self.jobs += 1
        self._left = self.polls
        return Reply(202, b"", {"Content-Location": self.origin + "/job"})

    def _job(self, asked: Asked) -> Reply:
        if asked.method == "DELETE":
            self.removed += 1
            return Reply(202)
        if self._left:
            self._left -= 1
            return Reply(202, b"", {"Retry-After": self.retry_after, "X-Progress": "half"})
        return answer(self.manifest)

    def _file(self, asked: Asked) -> Reply:
        content = self.files[asked.path]
        headers = {
            "Content-Type": "application/fhir+ndjson",
            "ETag": f'"{len(content)}"',
            "Accept-Ranges": "bytes",
        }
        start = asked.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if start and asked.headers.get("if-range") == headers["ETag"]:
            at = int(start)
            headers["Content-Range"] = f"bytes {at}-{len(content) - 1}/{len(content)}"
            return Reply(206, content[at:], headers)
        return Reply(200, content, headers)


def zipped(reply: Reply) -> Reply:
    """The same answer, compressed on the way."""
    return Reply(reply.status, gzip.compress(reply.body), reply.headers | {"Content-Encoding": "gzip"})


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("content-length") or 0)
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            headers = {k.lower(): v for k, v in self.headers.items()}
            body = self.rfile.read(size)
            asked = Asked(self.command, parts.path, query, headers, body, time.monotonic())
            fake.asked.append(asked)
            try:
                self._send(fake.reply(asked))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            if reply.drip_headers:
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.drip or 0.05)
            self.send_response_only(reply.status)
            headers = {"Date": formatdate(fake.now(), usegmt=True)} | reply.headers
            for name, value in headers.items():
                self.send_header(name, value)
            length = len(reply.body) if reply.declared is None else reply.declared
            self.send_header("Content-Length", str(length))
            self.end_headers()
            sent = reply.body if reply.cut is None else reply.body[: reply.cut]
            if reply.drip is None:
                self.wfile.write(sent)
            else:
                for byte in sent:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.drip)
            if len(sent) != length:
                self.close_connection = True

        do_GET = do_POST = do_DELETE = _serve

    return Handler
