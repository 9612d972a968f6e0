"""SMART Backend Services: assertions, tokens, their renewal, the rotation of keys, and who sees them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet, RSAKey

from fhir_io.server import BackendServices, Fetched, ServerError, read_keys
from privacy import KeysError
from tests.fhir_io.server.conftest import Skipping, identities
from tests.fhir_io.server.fake import Asked, Fake, Reply, answer

Fetch = Callable[..., Fetched]
OLD = ECKey.generate_key("P-384", {"kid": "old"})
NEW = ECKey.generate_key("P-384", {"kid": "new"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


def private_file(path: Path, *keys: Any) -> Path:
    path.write_text(json.dumps({"keys": [key.as_dict(private=True) for key in keys]}))
    path.chmod(0o600)
    return path


@pytest.fixture
def guarded(fake: Fake) -> Fake:
    """A server that wants a token, and knows the client's old and new key."""
    fake.add({"resourceType": "Patient", "id": "p"})
    fake.add(*({"resourceType": "Observation", "id": f"o{n}"} for n in range(5)))
    fake.public_keys = KeySet([OLD, NEW, RSA])
    fake.export_all()
    return fake


@pytest.fixture
def services(tmp_path: Path) -> BackendServices:
    keys = read_keys(private_file(tmp_path / "keys.json", OLD, NEW))
    return BackendServices("the-client", keys, ("Patient", "Observation"))


def test_a_signed_assertion_is_exchanged_for_a_token(
    guarded: Fake, fetch_from: Fetch, services: BackendServices, tmp_path: Path
) -> None:
    """Claims and header as SMART's asymmetric authentication asks for; the fake checked the signature."""
    fetch_from(guarded, auth=services)
    assert len(identities(tmp_path / "raw")) == 6
    [sent] = guarded.assertions
    assert sent["header"] == {"alg": "ES384", "kid": "new", "typ": "JWT"}
    claims = sent["claims"]
    assert claims["iss"] == claims["sub"] == "the-client"
    assert claims["aud"] == guarded.origin + "/token"
    assert len(claims["jti"]) == 36
    assert sent["form"]["grant_type"] == "client_credentials"
    assert sent["form"]["scope"] == "system/Patient.rs system/Observation.rs"


def test_scopes_follow_what_the_server_understands(
    guarded: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    path = "/fhir/.well-known/smart-configuration"
    guarded.hooks[path] = lambda asked: answer({"token_endpoint": guarded.origin + "/token"})
    fetch_from(guarded, auth=services)
    assert guarded.assertions[0]["form"]["scope"] == "system/Patient.read system/Observation.read"


def test_one_token_serves_until_shortly_before_its_end(
    guarded: Fake, fetch_from: Fetch, services: BackendServices, skipping: Skipping
) -> None:
    """Of 300 s, 270 are used: at a request each 100 s the fourth request comes with a second token."""
    fetch_from(guarded, auth=services, rate=0.01)
    used = [a.headers["authorization"][-1] for a in guarded.asked if "authorization" in a.headers]
    assert used[:3] == ["0", "0", "0"] or used[:2] == ["0", "0"]
    assert used[-1] != "0"
    assert len({a["claims"]["jti"] for a in guarded.assertions}) == len(guarded.assertions) > 1


def test_a_token_that_the_server_ended_early_is_renewed_once(
    guarded: Fake, fetch_from: Fetch, services: BackendServices, tmp_path: Path
) -> None:
    ended: list[str] = []

    def end(asked: Asked) -> None:
        if not ended and "cursor" in asked.query:
            ended.append(guarded.tokens[-1])
            guarded.tokens.append("another")

    guarded.hooks["/fhir/Observation"] = end
    fetch_from(guarded, auth=services)
    assert len(identities(tmp_path / "raw")) == 6
    assert len(guarded.assertions) == 2


def test_a_server_that_refuses_fresh_tokens_is_an_error(
    guarded: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    guarded.hooks["/fhir/Patient"] = lambda asked: Reply(401)
    with pytest.raises(
        ServerError, match="page 1 of Patient: the server answers 401: it wants an access token"
    ):
        fetch_from(guarded, auth=services)
    assert len(guarded.to("/fhir/Patient")) == 2


def test_the_next_key_is_tried_where_the_newest_is_not_known_yet(
    guarded: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    guarded.public_keys = KeySet([OLD])
    guarded.token_life = 1  # so that several tokens are asked for
    fetch_from(guarded, auth=services, rate=0.5)
    assert {a["header"]["kid"] for a in guarded.assertions} == {"old"}
    assert (
        len(guarded.to("/token")) == len(guarded.assertions) + 1
    )  # the new key is tried once, not every time


def test_a_client_that_no_key_opens_is_told_what_to_check(
    guarded: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    guarded.public_keys = KeySet([RSA])
    with pytest.raises(ServerError, match=r"refuses .invalid_client.; check --client-id"):
        fetch_from(guarded, auth=services)
    assert len(guarded.to("/token")) == 2


def test_refused_scopes_are_an_error_with_the_remedy(
    guarded: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    guarded.hooks["/token"] = lambda asked: answer(
        {"error": "invalid_scope", "error_description": "Jane"}, 400
    )
    with pytest.raises(ServerError, match=r"invalid_scope.*--scope") as raised:
        fetch_from(guarded, auth=services)
    assert "Jane" not in str(raised.value)


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_assertions_are_dated_by_the_servers_clock(
    guarded: Fake, fetch_from: Fetch, services: BackendServices, ahead: float
) -> None:
    """Two hours off: by the own clock the assertion would have ended, or lie hours ahead; the fake checks."""
    guarded.clock_ahead = ahead
    fetch_from(guarded, auth=services)
    assert len(guarded.assertions) == 1


def test_assertions_are_dated_by_the_token_endpoints_clock_where_it_has_its_own(
    guarded: Fake, other: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    other.public_keys, other.clock_ahead, other.tokens = guarded.public_keys, 7200.0, guarded.tokens
    services.token_url = other.origin + "/token"
    fetch_from(guarded, auth=services)
    assert len(other.assertions) == 1


def test_a_token_endpoint_at_another_origin_must_be_given_by_hand(
    guarded: Fake, other: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    path = "/fhir/.well-known/smart-configuration"
    guarded.hooks[path] = lambda asked: answer({"token_endpoint": other.origin + "/token"})
    with pytest.raises(ServerError, match=r"another origin.*--token-url"):
        fetch_from(guarded, auth=services)
    assert other.asked == []


@pytest.mark.parametrize(
    "body", [{}, {"access_token": "a b"}, {"access_token": "x", "token_type": "mac"}, []]
)
def test_an_answer_without_a_bearer_token_is_an_error(
    guarded: Fake, fetch_from: Fetch, services: BackendServices, body: Any
) -> None:
    guarded.hooks["/token"] = lambda asked: answer(body)
    with pytest.raises(ServerError, match="the access token: "):
        fetch_from(guarded, auth=services)


def test_files_of_an_export_are_asked_for_with_the_token_only_if_it_is_wanted(
    guarded: Fake, fetch_from: Fetch, services: BackendServices, tmp_path: Path
) -> None:
    fetch_from(guarded, auth=services, bulk="patient", out=tmp_path / "a")
    assert "authorization" in guarded.to("/files/Patient.ndjson")[0].headers
    guarded.export_all(folder="/open")
    fetch_from(guarded, auth=services, bulk="patient", out=tmp_path / "b")
    assert "authorization" not in guarded.to("/open/Patient.ndjson")[0].headers


def test_the_token_does_not_go_to_files_at_another_origin(
    guarded: Fake, other: Fake, fetch_from: Fetch, services: BackendServices, tmp_path: Path
) -> None:
    assert guarded.manifest is not None
    guarded.manifest["output"][0]["url"] = other.origin + "/open/Patient.ndjson"
    with pytest.raises(
        ServerError, match=r"file 1 of 2 .* wants the access token and lies at another origin"
    ):
        fetch_from(guarded, auth=services, bulk="patient")
    assert other.asked == []
    other.files["/open/Patient.ndjson"] = guarded.files["/files/Patient.ndjson"]
    fetch_from(guarded, auth=services, bulk="patient", trusted_origins=[other.origin])
    assert other.asked[0].headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_does_not_carry_the_token(
    guarded: Fake, other: Fake, fetch_from: Fetch, services: BackendServices, tmp_path: Path, status: int
) -> None:
    """Also if that origin is trusted: it was the server that sent us there, not the manifest."""
    other.files["/open/p.ndjson"] = guarded.files["/files/Patient.ndjson"]
    away = Reply(status, b"", {"Location": other.origin + "/open/p.ndjson"})
    guarded.hooks["/files/Patient.ndjson"] = lambda asked: away
    fetch_from(guarded, auth=services, bulk="patient", trusted_origins=[other.origin])
    assert "authorization" not in other.asked[0].headers
    assert "secret-token" not in str([a.headers for a in other.asked])
    assert len(identities(tmp_path / "raw")) == 6


def test_a_redirect_back_home_does_not_carry_the_token_either(
    guarded: Fake, other: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    other.hooks["/x"] = lambda asked: Reply(307, b"", {"Location": guarded.origin + "/open/p.ndjson"})
    guarded.files["/open/p.ndjson"] = guarded.files["/files/Patient.ndjson"]
    guarded.hooks["/files/Patient.ndjson"] = lambda asked: Reply(307, b"", {"Location": other.origin + "/x"})
    fetch_from(guarded, auth=services, bulk="patient")
    assert "authorization" not in guarded.to("/open/p.ndjson")[0].headers


@pytest.mark.parametrize("path", ["/fhir/Patient", "/job", "/fhir/Patient/$export"])
def test_a_redirect_of_a_search_or_job_to_another_origin_is_refused(
    guarded: Fake, other: Fake, fetch_from: Fetch, services: BackendServices, path: str
) -> None:
    guarded.hooks[path] = lambda asked: Reply(307, b"", {"Location": other.origin + path})
    with pytest.raises(ServerError, match=r"redirects to another origin than http://127.0.0.1:"):
        fetch_from(guarded, auth=services, bulk=None if path == "/fhir/Patient" else "patient")
    assert other.asked == []


def test_a_redirect_at_home_keeps_the_token(
    guarded: Fake, fetch_from: Fetch, services: BackendServices
) -> None:
    guarded.hooks["/fhir/Patient"] = lambda asked: Reply(307, b"", {"Location": "/fhir/Observation"})
    fetch_from(guarded, auth=services, types=("Patient",))
    assert "authorization" in guarded.to("/fhir/Observation")[0].headers


def test_no_token_or_assertion_is_shown_anywhere(
    guarded: Fake,
    fetch_from: Fetch,
    services: BackendServices,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    fetch_from(guarded, auth=services)
    guarded.hooks["/fhir/Patient"] = lambda asked: Reply(500)
    with pytest.raises(ServerError) as raised:
        fetch_from(guarded, auth=services, resume=False)
    shown = capfd.readouterr()
    told = [
        caplog.text,
        shown.out,
        shown.err,
        repr(services),
        str(raised.value),
        repr(raised.value.__context__),
    ]
    written = [p.read_bytes().decode(errors="replace") for p in (tmp_path / "raw").rglob("*") if p.is_file()]
    for text in told + written:
        assert "secret-token" not in text
        assert "eyJ" not in text  # how every JWT begins
        assert OLD.as_dict(private=True)["d"] not in text
    assert "/fhir/" not in caplog.text  # addresses may hold patients


# keys


def test_keys_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = private_file(tmp_path / "keys.json", NEW)
    path.chmod(0o640)
    with pytest.raises(KeysError, match="chmod 600"):
        read_keys(path)


def test_the_last_key_of_a_set_is_the_newest_and_unusable_ones_are_passed_over(tmp_path: Path) -> None:
    path = private_file(tmp_path / "keys.json", OLD, RSA, NEW)
    members = json.loads(path.read_text())["keys"]
    short = ECKey.generate_key("P-256").as_dict(private=True)
    weak = RSA.as_dict(private=True) | {"n": "A" * 171}  # the length of a modulus of 1024 bits
    sealing = RSA.as_dict(private=True) | {"use": "enc"}
    path.write_text(
        json.dumps({"keys": [*members, short, weak, sealing, NEW.as_dict(private=False), "x", {}]})
    )
    keys = read_keys(path)
    assert [(k.kid, k.algorithm) for k in keys] == [("new", "ES384"), ("rsa", "RS384"), ("old", "ES384")]


@pytest.mark.parametrize(("key", "algorithm"), [(NEW, "ES384"), (RSA, "RS384")])
def test_a_pem_key_is_named_by_its_thumbprint(tmp_path: Path, key: Any, algorithm: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(key.as_pem(private=True))
    path.chmod(0o600)
    [found] = read_keys(path)
    assert (found.kid, found.algorithm) == (key.thumbprint(), algorithm)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"keys": 5}', b"-----BEGIN NOTHING-----", b"\xff"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ServerError, match=r"the key file .* give a JWKS or PEM file"):
        read_keys(path)


def test_rsa_keys_sign_too(guarded: Fake, fetch_from: Fetch, tmp_path: Path) -> None:
    keys = read_keys(private_file(tmp_path / "keys.json", RSA))
    fetch_from(guarded, auth=BackendServices("c", keys))
    assert guarded.assertions[0]["header"]["alg"] == "RS384"
    assert guarded.assertions[0]["form"]["scope"] == "system/*.rs"
