"""Unique made-up identifiers of the eighteen kinds that HIPAA names, and fourteen disguises for them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import random
import unicodedata
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

KINDS = (
    "name",
    "address",
    "date",
    "telephone",
    "fax",
    "mail",
    "social security",
    "record",
    "health plan",
    "account",
    "licence",
    "vehicle",
    "device",
    "web",
    "network",
    "biometric",
    "photograph",
    "other",
)
"""45 CFR 164.514(b)(2)(i), A to R, with B (geography) as an address."""

EACH = 40
_SYLLABLES = (
    "bra",
    "dno",
    "fel",
    "gru",
    "hau",
    "jör",
    "kwe",
    "lim",
    "mör",
    "nya",
    "pru",
    "qua",
    "ros",
    "sti",
    "tür",
)


def canaries(seed: int, each: int = EACH) -> list[tuple[str, str]]:
    """(kind, token): ``each`` of every kind, none twice."""
    made: dict[str, str] = {}
    random_ = random.Random(seed)
    for kind in KINDS:
        count = 0
        while count < each:
            token = _token(kind, random_)
            if token not in made:
                made[token] = kind
                count += 1
    return [(kind, token) for token, kind in made.items()]


def _token(kind: str, random_: random.Random) -> str:
    def word() -> str:
        return "".join(random_.choices(_SYLLABLES, k=4)).title()

    def digits(count: int) -> str:
        return str(random_.randrange(10 ** (count - 1), 10**count))

    return {
        "name": lambda: f"{word()} {word()}",
        "address": lambda: f"{word()}straße {digits(3)}",
        "date": lambda: (date(1911, 1, 1) + timedelta(random_.randrange(11_000))).isoformat(),
        "telephone": lambda: f"+49 {digits(3)} {digits(7)}",
        "fax": lambda: f"(0{digits(3)}) {digits(4)}-{digits(4)}",
        "mail": lambda: f"{word()}@{word()}.invalid".lower(),
        "social security": lambda: f"{digits(3)}-{digits(2)}-{digits(4)}",
        "record": lambda: f"MRN-{digits(4)}-{digits(4)}",
        "health plan": lambda: f"HP{digits(10)}",
        "account": lambda: f"ACC/{digits(9)}",
        "licence": lambda: f"LIC {word()} {digits(5)}",
        "vehicle": lambda: f"{word()[:3].upper()}-{word()[:2].upper()} {digits(6)}",
        "device": lambda: f"SN:{digits(6)}:{digits(6)}",
        "web": lambda: f"https://{word().lower()}.invalid/{digits(5)}",
        "network": lambda: f"2001:db8:{digits(4)}:{digits(4)}::{digits(4)}",
        "biometric": lambda: f"fp-{digits(12)}",
        "photograph": lambda: f"{word()}_{digits(4)}.jpg",
        "other": lambda: f"{digits(4)}-{word()}-{digits(4)}",
    }[kind]()


def _digest(name: str) -> Callable[[str], bytes]:
    return lambda token: hashlib.new(name, token.encode(), usedforsecurity=False).hexdigest().encode()


def _date_or(style: Callable[[date], str]) -> Callable[[str], bytes]:
    def disguised(token: str) -> bytes:
        try:
            return style(date.fromisoformat(token)).encode()
        except ValueError:
            return token.encode()

    return disguised


DISGUISES: dict[str, Callable[[str], bytes]] = {
    "raw": str.encode,
    "upper": lambda t: t.upper().encode(),
    "lower": lambda t: t.lower().encode(),
    "decomposed": lambda t: unicodedata.normalize("NFD", t).encode(),
    "reversed": lambda t: t[::-1].encode(),
    "without separators": lambda t: "".join(c for c in t if c.isalnum()).encode(),
    "json": lambda t: "".join(f"\\u{ord(c):04x}" for c in t).encode(),
    "url": lambda t: urllib.parse.quote(t, safe="").encode(),
    "html": lambda t: html.escape(t).encode("ascii", "xmlcharrefreplace"),
    "base64": lambda t: base64.b64encode(b"x" + t.encode()),
    "base64url": lambda t: base64.urlsafe_b64encode(t.encode()),
    "hex": lambda t: t.encode().hex().encode(),
    "compressed": lambda t: zlib.compress(b"before " + t.encode()),
    "digest": _digest("sha256"),
    "md5": _digest("md5"),
    "sha1": _digest("sha1"),
    "date": _date_or(lambda d: f"{d:%d.%m.%Y}"),
    "json text": lambda t: json.dumps(t).encode(),
}
"""The fourteen of the design and the digests and dates that it groups, one by one."""


def plant(bundle: dict[str, Any], tokens: Iterator[str]) -> None:
    """Hide a token in every place of a patient's Bundle where real exports have carried one.

    The Bundle stays valid FHIR R4, and says the same about the patient's health.
    """
    text = {"status": "generated", "div": ""}
    bundle["identifier"] = {"system": "urn:canary", "value": next(tokens)}
    bundle["meta"] = {"tag": [{"system": "urn:canary", "code": next(tokens).replace(" ", "_")}]}
    for number, entry in enumerate(bundle["entry"]):
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            _plant_in_patient(resource, tokens)
        elif number < 7:
            _plant_in_event(resource, tokens)
        if number < 7:
            shown = f"<!-- {next(tokens)} --><p>{next(tokens)}</p>"
            resource["text"] = {**text, "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{shown}</div>'}


def _plant_in_patient(person: dict[str, Any], tokens: Iterator[str]) -> None:
    person.setdefault("name", []).append({"use": "old", "text": next(tokens), "prefix": [next(tokens)]})
    person.setdefault("telecom", []).append({"system": "email", "value": next(tokens)})
    person.setdefault("address", []).append({"use": "old", "text": next(tokens), "district": next(tokens)})
    person["contact"] = [
        {
            "name": {"family": next(tokens), "given": [next(tokens)]},
            "telecom": [{"value": next(tokens)}],
            "address": {"line": [next(tokens)]},
        }
    ]
    person["photo"] = [{"contentType": "image/jpeg", "title": next(tokens), "data": _photo(next(tokens))}]
    person["generalPractitioner"] = [{"display": next(tokens), "identifier": {"value": next(tokens)}}]
    person["managingOrganization"] = {"display": next(tokens)}
    person["_birthDate"] = {"extension": [{"url": "urn:canary:birth", "valueString": next(tokens)}]}
    person.setdefault("extension", []).append({"url": "urn:canary:note", "valueString": next(tokens)})


def _plant_in_event(event: dict[str, Any], tokens: Iterator[str]) -> None:
    event.setdefault("extension", []).append({"url": "urn:canary:note", "valueString": next(tokens)})
    event.setdefault("identifier", []).append({"system": "urn:canary", "value": next(tokens)})
    event["note"] = [{"authorString": next(tokens), "text": next(tokens)}]
    for name in ("code", "medicationCodeableConcept"):
        if isinstance(event.get(name), dict):
            event[name]["text"] = next(tokens)
            event[name]["coding"][0]["display"] = next(tokens)
    event["subject"]["display"] = next(tokens)
    if event["resourceType"] == "Observation":
        event["performer"] = [{"display": next(tokens)}]


def _photo(token: str) -> str:
    """A picture's bytes with a token in the metadata, as cameras write it."""
    return base64.b64encode(b"\xff\xd8\xff\xe1\x00\x40Exif\x00\x00Artist\x00" + token.encode()).decode()
