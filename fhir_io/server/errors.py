"""What people see when a server cannot be read, and what is passed around inside."""

from __future__ import annotations

from fhir_io.errors import FhirImportError


class ServerError(FhirImportError):
    """A server cannot be read; what was fetched before stays, and the same command goes on from there.

    The message names the page, file or step by its number and says what to do. It never holds an
    address beyond the origin, a token, an answer's text or anything of a patient.
    """


class TryAgain(Exception):
    """One attempt failed in a way that another may not; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.wait = wait


class Expired(Exception):
    """The server no longer has an export job, or a file of it."""
