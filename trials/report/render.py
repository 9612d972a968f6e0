"""From ``report.json`` to one self-contained HTML file."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from trials.report.figures import draw


def render_html(report: Mapping[str, Any]) -> str:
    """The report as one HTML file: no script, no font, image or style sheet outside it.

    Args:
        report: what :func:`trials.report.build_report` returned, or the same read from ``report.json``.

    Returns:
        HTML 5 with inline SVG figures. Everything that is not our own figure is escaped. The same report
        gives the same bytes with the same version of matplotlib.
    """
    return _template().render(report=report, svg=lambda block: Markup(draw(block)))


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trials.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2")
