"""The release gate: what is about to leave is shown to it first, and it may refuse.

A gate is a function that gets :class:`Leaving` and returns, or raises :class:`ReleaseRefused`. It runs before
anything is named, built or written. :func:`authorised_only` is the one that the command line uses: results
that were derived from real people, virtual twins included, leave only by a stated authorisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from fhir_io.export.errors import ReleaseRefused
from fhir_io.export.schema import LONGEST_TEXT, Document

Label = Literal["real-derived", "simulated"]


@dataclass(frozen=True)
class Leaving:
    """What is about to leave.

    Attributes:
        recipient: who gets it.
        label: ``real-derived`` (rests on records of people) or ``simulated``.
        tables: by name, the rows that would leave, one column a fact. ``subject`` holds the project's own
            pseudonym, which never leaves, so that a gate can count people.
    """

    recipient: str
    label: Label
    tables: Mapping[str, pd.DataFrame]

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(len(table) for table in self.tables.values())


Gate = Callable[[Leaving], None]


def authorised_only(reason: str | None) -> Gate:
    """The gate that lets real-derived results leave only with a reason.

    Args:
        reason: why they may leave (an agreement, an approval): one line, which is exported as the reason of
            the Provenance, so it must not speak of a patient. None: there is no authorisation.

    Raises:
        ReleaseRefused: the reason is empty, too long or more than one line; the gate itself raises where
            there is none and the results are real-derived.
    """
    if reason is not None and (not reason.strip() or len(reason) > LONGEST_TEXT or not reason.isprintable()):
        raise ReleaseRefused(f"the authorisation must be one line of 1 to {LONGEST_TEXT} characters")

    def gate(leaving: Leaving) -> None:
        if leaving.label == "real-derived" and reason is None:
            raise ReleaseRefused(
                f"{leaving.rows} rows rest on records of people and may not leave without an authorisation; "
                "virtual twins count as the people they were built from. State it with --authorised REASON"
            )

    return gate


def leaving(document: Document, recipient: str) -> Leaving:
    """The tables of a document that would leave."""
    trial = document.trial
    sections = {
        "subjects": document.subjects,
        "measurements": document.measurements,
        "predictions": document.predictions,
        "waveforms": document.waveforms,
        "risks": document.risks,
        "enrolments": trial.enrolments if trial else (),
        "arms": trial.arms if trial else (),
        "estimates": trial.estimates if trial else (),
    }
    tables = {
        name: pd.DataFrame([row.model_dump() for row in rows]) for name, rows in sections.items() if rows
    }
    return Leaving(recipient, document.label, tables)
