"""The disguises in which an identifier is looked for.

A token becomes byte patterns, each with the name of its encoding. Patterns that could turn up by
chance are marked ``whole``: they count only where they are not a piece of a longer word or number.
"""

from __future__ import annotations

import base64
import hashlib
import html
import html.entities
import itertools
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

SHORTEST_TOKEN = 4
"""Characters; anything shorter turns up everywhere by chance."""

_SHORT_WORD = 6
_SHORT_NUMBER = 10
_DIGEST_CHARACTERS = 16
"""Hexadecimal digits of a digest that are searched, so that a shortened digest is found as well."""

NEEDS_CONTEXT = 6
"""Characters; a shorter identifier whose field is known counts only beside the name of such a field."""

SHORTEST_IN_CONTEXT = 2

_FIELDS = {
    "family": ("family", "family_name", "surname", "last_name", "lastname", "nachname", "name"),
    "given": ("given", "given_name", "first_name", "firstname", "forename", "vorname", "name"),
    "postal_code": ("postalcode", "postal_code", "postcode", "zip", "zip_code", "zipcode", "plz"),
    "city": ("city", "town", "ort"),
    "address": ("address", "line", "street"),
    "telecom": ("telecom", "phone", "telephone", "tel", "fax", "mobile"),
    "identifier": ("identifier", "mrn", "record_number", "patient_id", "patientid", "ssn", "patient"),
    "id": ("patient_id", "patientid", "mrn", "patient"),
}
"""Names under which tables, files and messages show a field; of others, the field's own name."""

_JOINTS = (
    '": "',
    '":"',
    '": ["',
    '":["',
    "': '",
    "': ['",
    "=",
    '="',
    "='",
    ": ",
    ":",
    " ",
    ">",
    '" value="',
    "/",
)

_SEPARATORS = re.compile(r"[\W_]+")
_SPACE = re.compile(r"\s+")
_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_URL_SAFE = str.maketrans("+/", "-_")


@dataclass(frozen=True)
class Pattern:
    """Bytes to look for.

    Attributes:
        content: the bytes; in lower case if ``folded``.
        encoding: what the token was turned into.
        folded: the case of ASCII letters does not matter.
        whole: a neighbour of the same class (letter, digit) makes it another word or number.
    """

    content: bytes
    encoding: str
    folded: bool = True
    whole: bool = False


def patterns(token: str) -> list[Pattern]:
    """All patterns of one token, each content once.

    Args:
        token: an identifier of at least ``SHORTEST_TOKEN`` characters; one that reads as an ISO
            date is also looked for in other styles of date.

    Raises:
        ValueError: the token is too short; the message does not quote it.
    """
    token = unicodedata.normalize("NFC", token.strip())
    if len(token) < SHORTEST_TOKEN:
        raise ValueError(f"a token of fewer than {SHORTEST_TOKEN} characters would be found everywhere")
    unique: dict[tuple[bytes, bool], Pattern] = {}
    for found in itertools.chain(
        _texts(token), _escapes(token), _binary(token), _digests(token), _dates(token)
    ):
        if len(found.content) >= SHORTEST_TOKEN:
            unique.setdefault((found.content, found.folded), found)
    return list(unique.values())


def needs_context(token: str) -> bool:
    """Whether an identifier is so short that it stands in many places by chance."""
    return len(_SEPARATORS.sub("", token)) < NEEDS_CONTEXT


def patterns_in_context(token: str, field: str) -> list[Pattern]:
    """Patterns of a short identifier beside the name of its field, such as ``"given": "Ida"``.

    Args:
        token: an identifier of at least ``SHORTEST_IN_CONTEXT`` characters.
        field: what it is, such as ``given``.

    Raises:
        ValueError: the token is too short; the message does not quote it.
    """
    token = unicodedata.normalize("NFC", token.strip())
    if len(token) < SHORTEST_IN_CONTEXT:
        raise ValueError(f"a token of fewer than {SHORTEST_IN_CONTEXT} characters would be found everywhere")
    written = dict.fromkeys((token, unicodedata.normalize("NFD", token), json.dumps(token)[1:-1]))
    return [
        Pattern(f"{name}{joint}{text}".lower().encode(), "in context", whole=True)
        for name in _FIELDS.get(field, (field.lower(),))
        for joint in _JOINTS
        for text in written
    ]


def _text(text: str, encoding: str, charset: str = "utf-8") -> Pattern:
    if charset != "utf-8":
        return Pattern(text.encode(charset).lower(), encoding)
    bare = _SEPARATORS.sub("", text)
    whole = len(bare) < (_SHORT_NUMBER if bare.isdecimal() else _SHORT_WORD)
    return Pattern(text.encode().lower(), encoding, whole=whole)


def _cases(token: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((token, token.lower(), token.upper(), token.title())))


def _texts(token: str) -> Iterator[Pattern]:
    bare = _SEPARATORS.sub("", token)
    for case in _cases(token):
        yield _text(case, "raw")
        yield _text(unicodedata.normalize("NFD", case), "decomposed")
        for charset in ("utf-16-le", "utf-16-be", "utf-32-le"):
            yield _text(case, charset, charset)
        if not case.isascii():
            yield Pattern(case.encode("latin-1", "replace").lower(), "latin-1")
            yield Pattern(case.encode("cp850", "replace").lower(), "cp850")
    letters = (c for c in unicodedata.normalize("NFD", token) if not unicodedata.combining(c))
    yield _text("".join(letters), "without accents")
    if len(bare) >= SHORTEST_TOKEN:
        yield _text(bare, "without separators")
        for separator in " -_.+/":
            yield _text(_SEPARATORS.sub(separator, token), "other separators")
            yield _text(_SPACE.sub(separator, token), "other separators")
    if len(bare) >= _SHORT_WORD:  # "Elif" backwards is "file"
        yield _text(bare[::-1], "reversed")
        yield _text(token[::-1], "reversed")


def _escapes(token: str) -> Iterator[Pattern]:
    for case in _cases(token):
        for text in (json.dumps(case)[1:-1], "".join(f"\\u{unit:04x}" for unit in _utf16_units(case))):
            yield _text(text, "json")
            yield _text(text.replace("\\", "\\\\"), "json")  # JSON within JSON, as in a notebook
        yield _text(json.dumps(case)[1:-1].replace("/", "\\/"), "json")
        yield _text(urllib.parse.quote(case, safe=""), "url")
        yield _text(urllib.parse.quote_plus(case), "url")
        yield _text("".join(f"%{byte:02x}" for byte in case.encode()), "url")
        yield _text(html.escape(case), "html")
        yield _text(case.encode("ascii", "xmlcharrefreplace").decode(), "html")
        yield _text("".join(f"&#{ord(c)};" for c in case), "html")
        yield _text("".join(f"&#x{ord(c):x};" for c in case), "html")
        named = "".join(
            f"&{html.entities.codepoint2name[ord(c)]};" if ord(c) in html.entities.codepoint2name else c
            for c in case
        )
        yield _text(named, "html")


def _utf16_units(text: str) -> Iterator[int]:
    encoded = text.encode("utf-16-be")
    yield from (int.from_bytes(encoded[i : i + 2], "big") for i in range(0, len(encoded), 2))


def _binary(token: str) -> Iterator[Pattern]:
    for case in _cases(token):
        content = case.encode()
        yield Pattern(content.hex().encode(), "hex")
        yield Pattern(content.hex(" ").encode(), "hex")
        for core in _base64_cores(content):
            yield Pattern(core.encode(), "base64", folded=False)
            yield Pattern(core.translate(_TO_URL_SAFE).encode(), "base64url", folded=False)


def _base64_cores(content: bytes) -> Iterator[str]:
    """The characters that ``content`` fixes within any longer base64 text, at each alignment.

    Few characters turn up by chance, so a short core is lengthened by the character at each end
    that the content fixes in part, in all its four versions.
    """
    for offset in range(3):
        start, end = 8 * offset, 8 * (offset + len(content))
        encoded = base64.b64encode(bytes(offset) + content + bytes(2)).decode()
        first, last = -(-start // 6), end // 6
        core = encoded[first:last]
        before, after = [""], [""]
        if len(core) < 8 and start % 6 == 2:
            low = _STANDARD.index(encoded[first - 1]) & 0b001111
            before = [_STANDARD[high << 4 | low] for high in range(4)]
        if len(core) < 8 and end % 6 == 4:
            high = _STANDARD.index(encoded[last]) & 0b111100
            after = [_STANDARD[high | low] for low in range(4)]
        yield from (f"{head}{core}{tail}" for head in before for tail in after)


def _digests(token: str) -> Iterator[Pattern]:
    for case in dict.fromkeys((*_cases(token), _SEPARATORS.sub("", token))):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, case.encode(), usedforsecurity=False).digest()
            yield Pattern(digest.hex()[:_DIGEST_CHARACTERS].encode(), algorithm)
            yield Pattern(base64.b64encode(digest)[:_DIGEST_CHARACTERS], algorithm, folded=False)
            yield Pattern(digest[: _DIGEST_CHARACTERS // 2], algorithm, folded=False)


def _dates(token: str) -> Iterator[Pattern]:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", token[:10]) or token[10:11].isdigit():
        return
    try:
        day = date.fromisoformat(token[:10])
    except ValueError:
        return
    year, month, number = f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"
    styles = [day.isoformat(), year + month + number, f"{year}/{month}/{number}", f"{year}.{month}.{number}"]
    for d, m in ((number, month), (str(day.day), str(day.month))):
        for separator in "./-":
            styles += [f"{d}{separator}{m}{separator}{year}", f"{m}{separator}{d}{separator}{year}"]
    for m in (day.strftime("%b"), day.strftime("%B")):
        for d in (number, str(day.day)):
            styles += [f"{d} {m} {year}", f"{d}-{m}-{year}", f"{m} {d}, {year}", f"{m} {d} {year}"]
    yield from (Pattern(style.encode().lower(), "date", whole=True) for style in styles)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seconds = int(midnight.timestamp())
    for epoch in (seconds, seconds * 1000, seconds * 10**6, seconds * 10**9, seconds // 86400):
        # a day number of four digits is also a year, a count or a relative day
        if abs(epoch) >= 10_000:
            yield Pattern(str(epoch).encode(), "epoch", whole=True)
