"""The errors that people see when nothing may or can be exported."""

from __future__ import annotations


class ExportError(Exception):
    """Nothing was written. The message names the file and the field, and what to do; it holds no value."""


class ReleaseRefused(ExportError):
    """The release gate does not let these results leave."""
