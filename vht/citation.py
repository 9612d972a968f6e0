"""The papers behind a virtual patient or a model, to read and to cite."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from organ_models.catalogue import model as catalogue_model
from organ_models.model import OrganModel, Reference
from vht.patient import VirtualPatient

_VANCOUVER = re.compile(
    r"(?P<authors>.+?)\. (?P<title>.+(?:\?|(?=\.)))\.? (?P<journal>[^.]+) "
    r"(?P<year>\d{4});(?P<volume>[^:()]+)(?:\((?P<number>[^)]+)\))?:(?P<pages>[^.]+)\.?"
)
_SPECIAL = re.compile(r"([&%$#_])")


@dataclass(frozen=True)
class Citations(Sequence[Reference]):
    """References, each once, with the models that rest on them.

    Attributes:
        references: in order of first use.
        models: by key of a reference, names of models.
    """

    references: tuple[Reference, ...]
    models: dict[str, tuple[str, ...]]

    @overload
    def __getitem__(self, index: int) -> Reference: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Reference, ...]: ...

    def __getitem__(self, index: int | slice) -> Reference | tuple[Reference, ...]:
        return self.references[index]

    def __len__(self) -> int:
        return len(self.references)

    def __iter__(self) -> Iterator[Reference]:
        return iter(self.references)

    def bibtex(self) -> str:
        """A BibTeX entry for each reference."""
        return "\n\n".join(map(_entry, self.references)) + "\n"

    def __repr__(self) -> str:
        return "\n".join(
            f"[{number}] {reference}\n    for {', '.join(self.models[reference.key])}"
            for number, reference in enumerate(self.references, 1)
        )

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li>{html.escape(r.text)}{_link(r)} <small>({html.escape(', '.join(self.models[r.key]))})"
            "</small></li>"
            for r in self.references
        )
        return f"<ol>{items}</ol>"


def cite(what: VirtualPatient | OrganModel | str) -> Citations:
    """The references behind a virtual patient or a model.

    Args:
        what: a virtual patient, a model, or the catalogue name of a model.

    Raises:
        UnknownModel: no model of that name.

    Example:
        >>> import vht
        >>> vht.cite("sunitinib_exposure")[0].doi
        '10.1038/psp.2013.61'
    """
    if isinstance(what, VirtualPatient):
        models = list(what.models.values())
    else:
        models = [catalogue_model(what) if isinstance(what, str) else what]
    found = {r.key: r for m in models for r in m.references}
    users = {key: tuple(m.name for m in models if key in {r.key for r in m.references}) for key in found}
    return Citations(tuple(found.values()), users)


def _link(reference: Reference) -> str:
    if not reference.doi:
        return ""
    doi = html.escape(reference.doi, quote=True)
    return f' <a href="https://doi.org/{doi}">doi:{doi}</a>'


def _entry(reference: Reference) -> str:
    """An article where the text is a journal citation in the Vancouver style, else miscellaneous."""
    parsed = _VANCOUVER.fullmatch(reference.text)
    if parsed is None:
        return _bibtex("misc", reference.key, {"title": f"{{{_tex(reference.text)}}}", "doi": reference.doi})
    parts = parsed.groupdict()
    return _bibtex(
        "article",
        reference.key,
        {
            "author": _authors(parts["authors"]),
            "title": f"{{{_tex(parts['title'])}}}",
            "journal": _tex(parts["journal"]),
            "year": parts["year"],
            "volume": parts["volume"],
            "number": parts["number"],
            "pages": parts["pages"].replace("-", "--"),
            "doi": reference.doi,
        },
    )


def _authors(text: str) -> str:
    """``Hansson EK, Ma G, et al`` as ``Hansson, E. K. and Ma, G. and others``; a group stays whole."""
    names = []
    for name in text.split(", "):
        family, _, initials = name.rpartition(" ")
        if name == "et al":
            names.append("others")
        elif family and initials.isupper():
            names.append(_tex(f"{family}, {'. '.join(initials)}."))
        else:
            names.append(f"{{{_tex(name)}}}")
    return " and ".join(names)


def _bibtex(kind: str, key: str, parts: dict[str, str | None]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in parts.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _tex(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
