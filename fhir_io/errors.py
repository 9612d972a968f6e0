"""The error that people see when an import cannot go on."""

from __future__ import annotations


class FhirImportError(Exception):
    """The source cannot be imported; nothing was written.

    The message names the file by its place in the order of names ("file 3 of 65") and the entry or
    line, says what is wrong and what to do. It never holds a file name, a value or an identifier:
    exported records are often named after their patients.
    """


class SampleError(Exception):
    """The synthetic cohort cannot be written there or with these arguments; nothing was changed."""
