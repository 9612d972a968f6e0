"""The trial report: ``report.json`` with every number as it is shown, and one HTML file rendered from it.

:func:`build_report` turns the protocol, the results and the provenance of a run into a document of sections
and blocks (paragraphs, tables, figures); :func:`render_html` draws it. Both are deterministic: the same input
gives the same bytes.
"""

from trials.report.builder import build_report
from trials.report.render import render_html

__all__ = ["build_report", "render_html"]
