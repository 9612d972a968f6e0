"""The scanner's control: every disguise in every container is found, and a clean tree is clean."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import lzma
import sqlite3
import struct
import tarfile
import unicodedata
import urllib.parse
import zipfile
import zlib
from bz2 import compress as bzip2
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.scan import Leak, LeakScanner, ScanIncomplete, find_leaks

NAME = "Jürgen Müller-Østergård"
RECORD_NUMBER = "MRN-0047-1183"
PHONE = "+49 (0)30 5550-1234"
ADDRESS = "Straße des 17. Juni <135> & Söhne"
BIRTH_DATE = "1961-04-12"
SHORT_NUMBER = "48213"
SHORT_NAME = "Ines"
TOKENS = (NAME, RECORD_NUMBER, PHONE, ADDRESS, BIRTH_DATE, SHORT_NUMBER, SHORT_NAME)

ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "raw": str.encode,
    "upper case": lambda t: t.upper().encode(),
    "lower case": lambda t: t.lower().encode(),
    "decomposed": lambda t: unicodedata.normalize("NFD", t).encode(),
    "without separators": lambda t: "".join(c for c in t if c.isalnum()).encode(),
    "underscores": lambda t: t.replace(" ", "_").encode(),
    "reversed": lambda t: t[::-1].encode(),
    "latin-1": lambda t: t.encode("latin-1"),
    "utf-16": lambda t: t.encode("utf-16"),
    "utf-16 big-endian": lambda t: t.encode("utf-16-be"),
    "utf-32": lambda t: t.encode("utf-32"),
    "json": lambda t: json.dumps(t)[1:-1].encode(),
    "json, every character": lambda t: "".join(f"\\u{ord(c):04X}" for c in t).encode(),
    "url": lambda t: urllib.parse.quote(t, safe="").encode(),
    "url, form": lambda t: urllib.parse.quote_plus(t).encode(),
    "url, every byte": lambda t: "".join(f"%{b:02X}" for b in t.encode()).encode(),
    "html": lambda t: html.escape(t).encode(),
    "html, decimal": lambda t: "".join(f"&#{ord(c)};" for c in t).encode(),
    "html, hexadecimal": lambda t: "".join(f"&#x{ord(c):X};" for c in t).encode(),
    "base64": lambda t: base64.b64encode(t.encode()),
    "base64, shifted by one": lambda t: base64.b64encode(b"#" + t.encode() + b"#"),
    "base64, shifted by two": lambda t: base64.b64encode(b"##" + t.encode() + b"##"),
    "base64url": lambda t: base64.urlsafe_b64encode(t.encode()),
    "base64, lower case": lambda t: base64.b64encode(t.lower().encode()),
    "base64 in lines": lambda t: base64.encodebytes(b"x" * 50 + t.encode() + b"x" * 50),
    "hex": lambda t: t.encode().hex().encode(),
    "hex, upper case": lambda t: t.encode().hex().upper().encode(),
    "md5": lambda t: hashlib.md5(t.encode()).hexdigest().encode(),
    "sha1": lambda t: hashlib.sha1(t.encode()).hexdigest().encode(),
    "sha256": lambda t: hashlib.sha256(t.encode()).hexdigest().encode(),
    "sha256, shortened": lambda t: hashlib.sha256(t.encode()).hexdigest()[:20].encode(),
    "sha256 of lower case": lambda t: hashlib.sha256(t.lower().encode()).hexdigest().encode(),
    "sha256, base64": lambda t: base64.b64encode(hashlib.sha256(t.encode()).digest()),
    "sha256, bytes": lambda t: hashlib.sha256(t.encode()).digest(),
}

DATE_STYLES: dict[str, Callable[[date], str]] = {
    "iso": date.isoformat,
    "compact": lambda d: f"{d:%Y%m%d}",
    "German": lambda d: f"{d:%d.%m.%Y}",
    "German, short": lambda d: f"{d.day}.{d.month}.{d.year}",
    "US": lambda d: f"{d:%m/%d/%Y}",
    "US, short": lambda d: f"{d.month}/{d.day}/{d.year}",
    "British": lambda d: f"{d:%d/%m/%Y}",
    "slashes": lambda d: f"{d:%Y/%m/%d}",
    "month name": lambda d: f"{d.day} {d:%B} {d.year}",
    "US month name": lambda d: f"{d:%b} {d.day}, {d.year}",
    "log": lambda d: f"{d:%d-%b-%Y}",
    "seconds": lambda d: str(int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp())),
    "milliseconds": lambda d: str(1000 * int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp())),
    "day number": lambda d: str((d - date(1970, 1, 1)).days),
}


def in_zip(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", content)
    return out.getvalue()


def in_tar_gz(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def in_parquet(content: bytes, **options: object) -> bytes:
    out = io.BytesIO()
    filler = [b"%d" % i for i in range(100)]
    pq.write_table(pa.table({"n": range(101), "b.c": [*filler, content]}), out, **options)
    return out.getvalue()


def in_parquet_list(content: bytes) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"nested": [[{"deep": content}], []]}), out, compression="zstd")
    return out.getvalue()


def in_parquet_metadata(content: bytes) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"n": [1]}).replace_schema_metadata({"note": content}), out)
    return out.getvalue()


def in_feather(content: bytes) -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(pa.table({"b": [content]}), out, compression="zstd")
    return out.getvalue()


def in_sqlite(content: bytes) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute('CREATE TABLE "a ""table" (x)')
    connection.execute('INSERT INTO "a ""table" VALUES (?)', (b"." * 5000 + content + b"." * 5000,))
    connection.commit()
    image = connection.serialize()
    connection.close()
    return image


def in_png(kind: bytes, text: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x00")
    chunks = ((b"IHDR", header), (kind, text), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def in_npz(content: bytes) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, a=np.frombuffer(content, dtype=np.uint8))
    return out.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "second gzip member": lambda c: gzip.compress(b"first") + gzip.compress(c),
    "zlib": zlib.compress,
    "zlib, fast": lambda c: zlib.compress(c, 1),
    "zlib stream inside a document": lambda c: b"%PDF-1.7 stream\n" + zlib.compress(c, 9) + b"\nendstream",
    "cut gzip": lambda c: gzip.compress(c + bytes(range(256)) * 40)[:-200],
    "bzip2": bzip2,
    "xz": lzma.compress,
    "second xz stream": lambda c: lzma.compress(b"first") + lzma.compress(c),
    "zip": in_zip,
    "gzip in zip": lambda c: in_zip(gzip.compress(c)),
    "tar.gz": in_tar_gz,
    "Parquet, snappy": in_parquet,
    "Parquet, zstd": lambda c: in_parquet(c, compression="zstd"),
    "Parquet, no dictionary": lambda c: in_parquet(c, compression="gzip", use_dictionary=False),
    "Parquet, nested": in_parquet_list,
    "Parquet metadata": in_parquet_metadata,
    "Feather": in_feather,
    "SQLite": in_sqlite,
    "SQLite in gzip": lambda c: gzip.compress(in_sqlite(c)),
    "PNG tEXt": lambda c: in_png(b"tEXt", b"Author\x00" + c),
    "PNG zTXt": lambda c: in_png(b"zTXt", b"Author\x00\x00" + zlib.compress(c)),
    "PNG iTXt": lambda c: in_png(b"iTXt", b"Author\x00\x01\x00\x00\x00" + zlib.compress(c)),
    "PNG embedded in a page": lambda c: (
        b'<img src="data:image/png;base64,'
        + base64.b64encode(in_png(b"zTXt", b"A\x00\x00" + zlib.compress(c)))
        + b'">'
    ),
    "compressed array": in_npz,
    "gzip in base64": lambda c: base64.b64encode(gzip.compress(c)),
}

SCANNER = LeakScanner(TOKENS)


def found(leaks: list[Leak]) -> set[int]:
    return {leak.token_index for leak in leaks}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_disguise_is_found_in_every_container(encoding: str) -> None:
    planted, missed = 0, []
    for index, token in enumerate(TOKENS):
        if encoding == "reversed" and len(token) < 6:
            continue
        disguised = ENCODINGS[encoding](token)
        for container, put in CONTAINERS.items():
            content = put(b"before: '" + disguised + b"', after")
            planted += 1
            if index not in found(SCANNER.scan_bytes(content)):
                missed.append((container, index))
    assert planted >= len(CONTAINERS) * (len(TOKENS) - 2)
    assert missed == []


@pytest.mark.parametrize("style", DATE_STYLES)
@pytest.mark.parametrize("day", [date(1931, 12, 9), date(1941, 4, 2), date(2001, 2, 3)])
def test_every_style_of_a_date_is_found_in_every_container(day: date, style: str) -> None:
    scanner = LeakScanner([day.isoformat()])
    written = b'{"born": "' + DATE_STYLES[style](day).encode() + b'"}'
    missed = [container for container, put in CONTAINERS.items() if not scanner.scan_bytes(put(written))]
    assert missed == []


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_without_identifiers_is_clean(container: str) -> None:
    content = CONTAINERS[container](
        b"systolic 132.5, diastolic 81.25, Jurgen's sign, MRN-0047-1184, 1961-04-13"
    )
    assert SCANNER.scan_bytes(content) == []


def test_typed_columns_are_searched_as_people_would_read_them(tmp_path: Path) -> None:
    table = pa.table(
        {
            "date": pa.array([date(1961, 4, 12)]),
            "stamp": pa.array([datetime(1961, 4, 12, 8, 30)]),
            "number": pa.array([71183001234], type=pa.int64()),
            "float": pa.array([71183001234.0]),
            "category": pa.array([RECORD_NUMBER]).dictionary_encode(),
        }
    )
    for name in table.column_names:
        pq.write_table(table.select([name]), tmp_path / f"{name}.parquet")
    leaks = find_leaks(tmp_path, [BIRTH_DATE, "71183001234", RECORD_NUMBER])
    assert {(leak.path.stem, leak.token_index) for leak in leaks} == {
        ("date", 0),
        ("stamp", 0),
        ("number", 1),
        ("float", 1),
        ("category", 2),
    }


def test_numbers_in_a_database_are_searched(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.sqlite")
    connection.execute("CREATE TABLE t (i INTEGER, r REAL)")
    connection.execute("INSERT INTO t VALUES (71183001234, 99183001234.0)")
    connection.commit()
    connection.close()
    assert found(find_leaks(tmp_path, ["71183001234", "99183001234"])) == {0, 1}


def test_rows_that_only_the_write_ahead_log_holds_are_found(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("INSERT INTO t VALUES (71183001234)")
    connection.commit()
    # an integer is stored in binary: only reading it as a row shows it
    assert b"71183001234" not in (tmp_path / "a.sqlite-wal").read_bytes()
    leaks = find_leaks(tmp_path, ["71183001234"])
    connection.close()
    assert [(leak.path.name, leak.place) for leak in leaks] == [("a.sqlite", "sqlite")]


def test_deleted_rows_of_a_database_are_found(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.sqlite")
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (?)", [(f"{RECORD_NUMBER} {i}",) for i in range(500)])
    connection.commit()
    connection.execute("DROP TABLE t")
    connection.commit()
    connection.close()
    assert find_leaks(tmp_path, [RECORD_NUMBER])


@pytest.mark.parametrize(
    "name",
    [
        "Müller_Jürgen.json",
        "Mu\u0308ller.txt",
        "mueller/MRN-0047-1183/part.json",
        "x/MRN00471183",
        "1961-04-12",
    ],
)
def test_names_of_files_and_folders_are_searched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("nothing in here")
    leaks = find_leaks(tmp_path, ["Müller", RECORD_NUMBER, BIRTH_DATE])
    assert [leak.place for leak in leaks] == ["name"]


def test_names_inside_an_archive_are_searched(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"{RECORD_NUMBER}.json", "{}")
    assert find_leaks(tmp_path, [RECORD_NUMBER])


def test_where_a_link_points_to_is_searched(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(f"/records/{RECORD_NUMBER}")
    assert find_leaks(tmp_path, [RECORD_NUMBER])


def test_a_leak_tells_file_token_encoding_and_place(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(in_zip(gzip.compress(b"id: " + RECORD_NUMBER.encode())))
    assert find_leaks(tmp_path, ["another identifier", RECORD_NUMBER]) == [Leak(path, 1, "raw", "zip > gzip")]


def test_a_single_file_and_several_paths_can_be_scanned(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(RECORD_NUMBER)
    assert len(find_leaks(tmp_path / "a", [RECORD_NUMBER])) == 1
    assert len(find_leaks([tmp_path / "a", tmp_path / "b"], [RECORD_NUMBER])) == 2


def test_an_identifier_across_any_block_boundary_is_found() -> None:
    from privacy.scan import search

    edge = search._CHUNK
    for start in (edge - len(RECORD_NUMBER) - 1, edge - 8, edge - 7, edge - 1, edge):
        content = bytearray(edge + 100)
        content[start : start + len(RECORD_NUMBER)] = RECORD_NUMBER.encode()
        assert found(SCANNER.scan_bytes(bytes(content))) == {1}


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(TOKENS[:4]))
def test_an_identifier_is_found_whatever_stands_around_it(before: bytes, after: bytes, token: str) -> None:
    assert TOKENS.index(token) in found(SCANNER.scan_bytes(b"." + before + token.encode() + after))


@pytest.mark.parametrize(
    "text", ["x=48213", "id48213;", "0000048213", "48213.0", '"48213"', "(48213)", "-48213"]
)
def test_a_short_number_is_found_where_it_is_a_number_of_its_own(text: str) -> None:
    assert found(SCANNER.scan_bytes(text.encode())) == {TOKENS.index(SHORT_NUMBER)}


@pytest.mark.parametrize("text", ["0.48213", "1482135", "3.1448213", "482130", "17.48213e-3"])
def test_digits_of_another_number_are_no_leak(text: str) -> None:
    assert SCANNER.scan_bytes(text.encode()) == []


@pytest.mark.parametrize("text", ["guidelines", "pinespray", "machines"])
def test_letters_of_another_word_are_no_leak(text: str) -> None:
    assert SCANNER.scan_bytes(text.encode()) == []


@pytest.mark.parametrize(
    ("token", "text"), [("Elif", "file"), ("1961-04-12", "-3186"), ("1961-04-12", "day -3186.0")]
)
def test_what_chance_would_find_is_not_looked_for(token: str, text: str) -> None:
    assert LeakScanner([token]).scan_bytes(text.encode()) == []


def test_random_bytes_and_numbers_give_no_false_alarm() -> None:
    """720 identifiers of the usual kinds against 4 MB of noise, digits and base64."""
    generator = np.random.default_rng(20261124)
    tokens = [f"{n:09d}" for n in generator.integers(10**8, 10**9, 240)]
    tokens += ["".join(generator.choice(list("abcdefghijklmnopqrstuvwxyz"), 7)) for _ in range(240)]
    tokens += [str(date.fromordinal(int(n))) for n in generator.integers(700_000, 730_000, 240)]
    scanner = LeakScanner(tokens)
    noise = generator.bytes(2_000_000)
    numbers = "\n".join(repr(x) for x in generator.normal(100, 15, 50_000)).encode()
    for content in (noise, numbers, base64.b64encode(noise[:750_000])):
        assert scanner.scan_bytes(content) == []


@pytest.mark.parametrize("token", ["", "abc", " 123 "])
def test_a_token_that_chance_would_find_is_refused_without_quoting_it(token: str) -> None:
    with pytest.raises(ValueError, match=r"token 1: .*fewer than 4 characters") as caught:
        LeakScanner(["long enough", token])
    assert "abc" not in str(caught.value)
    assert "123" not in str(caught.value)


def test_a_bomb_is_an_error_and_not_a_clean_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from privacy.scan import containers

    monkeypatch.setattr(containers, "LARGEST_INNER", 1_000_000)
    for name, bomb in (
        ("first", gzip.compress(bytes(2_000_000))),
        ("second", lzma.compress(bytes(2_000_000))),
        ("third", in_zip(bytes(2_000_000))),
    ):
        (tmp_path / name).write_bytes(bomb)
        with pytest.raises(ScanIncomplete, match="1000000 bytes") as caught:
            find_leaks(tmp_path, TOKENS)
        assert caught.value.path == tmp_path / name
        assert name not in str(caught.value)
        (tmp_path / name).unlink()


def test_containers_without_end_are_an_error() -> None:
    content = b"inside"
    for _ in range(10):
        content = gzip.compress(content)
    with pytest.raises(ScanIncomplete, match="deep"):
        SCANNER.scan_bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"PAR1" + bytes(50) + b"PAR1",
        b"SQLite format 3\x00" + bytes(200),
        b"ARROW1" + bytes(50),
        b"BZh91AY&SY" + bytes(50),
        bzip2(b"content")[:-5],
        lzma.compress(b"content")[:-5],
        b"\xfd7zXZ\x00" + bytes(50),
        in_zip(b"content").replace(zlib.crc32(b"content").to_bytes(4, "little"), bytes(4)),
    ],
)
def test_a_damaged_container_is_an_error_and_not_a_clean_result(content: bytes) -> None:
    with pytest.raises(ScanIncomplete):
        SCANNER.scan_bytes(content)


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_leaks(tmp_path / "nowhere", TOKENS)
