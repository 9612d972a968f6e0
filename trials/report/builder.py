"""Assembling the report from the protocol, the results and the provenance of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trials.report import blocks
from trials.report.closing import limitations, reproduce
from trials.report.disposition import disposition
from trials.report.findings import findings
from trials.report.front import STATUS, identity, question, synopsis
from trials.report.methods import design, models
from trials.report.population import population
from trials.results import plain

if TYPE_CHECKING:
    from trials.protocol import Protocol

SCHEMA = "vht-report/1"


def build_report(
    protocol: Protocol, results: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of ``report.json``: a document of numbered sections and blocks.

    Args:
        protocol: the declared trial.
        results: what :func:`trials.results.analyse` returned, or the same read from ``results.json``.
        provenance: ``software``, ``models``, ``data``, ``seed``, ``command``, ``verify_command``,
            ``couplings``, ``numerics``, ``mlflow`` and optionally ``tolerance``; all but numbers are printed
            as they are. Absent entries are left out of the report.

    Returns:
        JSON-ready. Every table cell has the ``text`` shown and, where it is a number, the rounded ``value``
        behind it; every figure has the ``data`` it draws. The same arguments give the same content.
    """
    sections = [
        identity(protocol, results, provenance),
        question(protocol),
        synopsis(protocol, results),
        population(protocol, results),
        models(protocol, provenance),
        design(protocol, results),
        disposition(protocol, results),
        findings(protocol, results),
        limitations(protocol, results, provenance),
        reproduce(protocol, results, provenance),
    ]
    report: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "title": " ".join(str(protocol.title).split()),
            "kind": "Report of an in-silico clinical trial",
            "status": STATUS,
            "sections": blocks.numbered(sections),
        }
    )
    return report
