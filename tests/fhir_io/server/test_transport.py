"""Retries, deadlines, sizes and addresses, whatever is asked for."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from fhir_io.server import Fetched, Limits, ServerError, fetch
from fhir_io.server.origins import origins
from fhir_io.server.pacing import backoff, retry_after
from tests.fhir_io.server.conftest import Skipping, identities
from tests.fhir_io.server.fake import Asked, Fake, Reply

Fetch = Callable[..., Fetched]


@pytest.fixture
def patient(fake: Fake) -> Fake:
    fake.add({"resourceType": "Patient", "id": "p"})
    return fake


def failing(times: int, reply: Reply) -> Callable[[Asked], Reply | None]:
    left = [times]

    def hook(asked: Asked) -> Reply | None:
        left[0] -= 1
        return reply if left[0] >= 0 else None

    return hook


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_waited_out(
    patient: Fake, fetch_from: Fetch, skipping: Skipping, tmp_path: Path, status: int
) -> None:
    """Three failures: pauses of at most 1, 2 and 4 s, and at least half of that."""
    patient.hooks["/fhir/Patient"] = failing(3, Reply(status))
    fetch_from(patient, types=("Patient",))
    assert identities(tmp_path / "raw") == ["Patient/p"]
    assert [longest / 2 <= p <= longest for p, longest in zip(skipping.pauses, (1, 2, 4), strict=True)] == [
        True
    ] * 3


def test_a_lasting_trouble_is_an_error_after_a_bounded_number_of_attempts(
    patient: Fake, fetch_from: Fetch
) -> None:
    patient.hooks["/fhir/Patient"] = lambda asked: Reply(503, b"Jane Doe")
    with pytest.raises(ServerError, match=r"page 1 of Patient: the server answers 503 \(6 times\)") as raised:
        fetch_from(patient, types=("Patient",))
    assert "Jane" not in str(raised.value)
    assert len(patient.to("/fhir/Patient")) == 6


@pytest.mark.parametrize(("header", "pause"), [("20", 20.0), ("99999", 300.0), ("in 50 s", 50.0)])
def test_too_many_requests_are_answered_by_waiting_as_asked(
    patient: Fake, fetch_from: Fetch, skipping: Skipping, header: str, pause: float
) -> None:
    if header == "in 50 s":
        header = formatdate(time.time() + 50, usegmt=True)
    patient.hooks["/fhir/Patient"] = failing(1, Reply(429, b"", {"Retry-After": header}))
    fetch_from(patient, types=("Patient",))
    assert skipping.pauses == [pytest.approx(pause, abs=5)]


def test_jitter_is_decided_by_the_seed() -> None:
    def draw(seed: int) -> list[float]:
        generator = random.Random(seed)
        return [backoff(n, 1.0, 300.0, generator) for n in range(12)]

    assert draw(1) == draw(1) != draw(2)
    assert max(draw(1)) <= 300


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("-5", None), ("1e9", None), ("٣", None), (None, None)]
)
def test_a_retry_after_that_is_not_understood_is_none(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, 0.0) == seconds


def test_an_answer_that_is_too_large_is_given_up_while_it_arrives(patient: Fake, fetch_from: Fetch) -> None:
    patient.hooks["/fhir/Patient"] = lambda asked: Reply(200, b" " * 500_000)
    with pytest.raises(ServerError, match="page 1 of Patient: the answer is larger than 1000 bytes"):
        fetch_from(patient, types=("Patient",), limits=Limits(document=1000))


def test_a_server_that_stays_silent_is_given_up(patient: Fake, fetch_from: Fetch) -> None:
    patient.hooks["/fhir/Patient"] = lambda asked: time.sleep(1)
    began = time.monotonic()
    with pytest.raises(ServerError, match="does not answer in time"):
        fetch_from(patient, types=("Patient",), limits=Limits(silence=0.1, attempts=2))
    assert time.monotonic() - began < 5


def test_headers_that_come_byte_by_byte_are_given_up(patient: Fake, fetch_from: Fetch) -> None:
    """Never silent for long, never complete: 1,000 bytes at 20 a second would take a minute."""
    patient.hooks["/fhir/Patient"] = lambda asked: Reply(drip_headers=True, drip=0.05)
    began = time.monotonic()
    with pytest.raises(ServerError, match="does not answer in time"):
        fetch_from(patient, types=("Patient",), limits=Limits(answer=0.3, attempts=1))
    assert time.monotonic() - began < 10


def test_a_body_that_comes_byte_by_byte_is_given_up(patient: Fake, fetch_from: Fetch) -> None:
    patient.hooks["/fhir/Patient"] = lambda asked: Reply(body=b" " * 2000, drip=0.02)
    began = time.monotonic()
    with pytest.raises(ServerError, match="the answer comes too slowly"):
        fetch_from(patient, types=("Patient",), limits=Limits(patience=0.2, slowest=1000, attempts=1))
    assert time.monotonic() - began < 10


def test_a_server_that_cannot_be_reached_is_an_error(fetch_from: Fetch, patient: Fake) -> None:
    patient.stop()
    patient.stop = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ServerError, match="the server cannot be reached"):
        fetch_from(patient, limits=Limits(attempts=2))


def test_an_answer_that_is_no_http_is_an_error(fetch_from: Fetch, fake: Fake, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-something\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(ServerError, match="closes the connection without an answer"):
            fetch(address, tmp_path / "raw", limits=Limits(attempts=1))
        thread.join()


def test_a_server_that_redirects_in_circles_is_an_error(patient: Fake, fetch_from: Fetch) -> None:
    patient.hooks["/fhir/Patient"] = lambda asked: Reply(302, b"", {"Location": "/fhir/Patient"})
    with pytest.raises(ServerError, match="redirects more than 5 times"):
        fetch_from(patient, types=("Patient",))


@pytest.mark.parametrize(
    "base",
    [
        "ftp://h/x",
        "h/x",
        "https://name:secret@h/x",
        "https://h/x?a=b",
        "https://h/x#a",
        "https://",
        "https://h:x/",
        "",
    ],
)
def test_an_address_that_is_no_fhir_base_is_refused(base: str) -> None:
    with pytest.raises(ServerError, match="give its FHIR base") as raised:
        origins(base)
    assert "secret" not in str(raised.value)


def test_plain_http_goes_to_this_machine_only_unless_it_is_allowed() -> None:
    for base in ("http://127.0.0.1:8080/fhir", "http://localhost/fhir", "http://[::1]:80/fhir"):
        origins(base)
    for base in ("http://example.org/fhir", "http://127.0.0.1.example.org/", "http://10.0.0.1/"):
        with pytest.raises(ServerError, match=r"plain http .* --allow-http"):
            origins(base)
        origins(base, allow_http=True)


def test_a_server_elsewhere_cannot_point_to_this_machine() -> None:
    rules = origins("https://fhir.example.org/r4")
    for url in ("https://localhost/x", "https://127.0.0.1/x", "https://[::1]/x"):
        with pytest.raises(ServerError, match="points to an address of this machine"):
            rules.resolve(url, rules.base, "here")
    with pytest.raises(ServerError, match="plain http"):
        rules.resolve("http://fhir.example.org/x", rules.base, "here")


def test_an_origin_is_scheme_host_and_port() -> None:
    rules = origins("https://FHIR.example.org:443/r4", trusted=["https://files.example.org"])
    assert rules.may_see_token("https://fhir.example.org/x")
    assert rules.may_see_token("https://files.example.org/x")
    for url in (
        "https://fhir.example.org:444/",
        "https://fhir.example.org.evil.org/",
        "https://a@fhir.example.org/",
    ):
        assert not rules.may_see_token(url)
    with pytest.raises(ServerError, match="trusted origin"):
        origins("https://h/", trusted=["https://h/path"])
