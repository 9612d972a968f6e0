"""What resources are called in one export: names of patients, ids, references.

A recipient's names come from a key, so that two recipients cannot compare theirs. Ids of resources are UUIDs
(version 5) of what they stand for, in a namespace that only this recipient's exports have: the same results
give the same ids, and an id tells nothing.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Style = Literal["urn", "relative"]


@dataclass
class Names:
    """Names for one recipient.

    Attributes:
        named: turns a pseudonym of the project into the recipient's name for it.
        style: references as ``urn:uuid:...`` (in a Bundle) or ``Type/id`` (in files by type).
    """

    named: Callable[[str], str] = field(repr=False)
    style: Style = "urn"

    def __post_init__(self) -> None:
        self._namespace = uuid.uuid5(uuid.NAMESPACE_URL, self.named("ids of resources"))
        self._given: Counter[str] = Counter()

    def patient(self, subject: str, arm: str | None = None) -> str:
        """The name of a patient, or of their virtual twin in an arm; it says nothing of who it is of."""
        return self.named(subject if arm is None else f"{subject} {arm}")

    def patient_id(self, subject: str, arm: str | None = None) -> str:
        """The id of the Patient resource."""
        return self.fixed("Patient", self.patient(subject, arm))

    def fixed(self, kind: str, *what: str) -> str:
        """The id of the one resource of a type that stands for something."""
        return str(uuid.uuid5(self._namespace, "\n".join((kind, *what))))

    def next(self, kind: str, *what: str) -> str:
        """An id of one more resource of a type that stands for something, such as a second equal value."""
        key = "\n".join((kind, *what))
        self._given[key] += 1
        return str(uuid.uuid5(self._namespace, f"{key}\n#{self._given[key]}"))

    def reference(self, kind: str, own: str) -> Json:
        """A Reference to a resource of this export."""
        return {"reference": self.url(own) if self.style == "urn" else f"{kind}/{own}"}

    @staticmethod
    def url(own: str) -> str:
        """The fullUrl of a resource in a Bundle."""
        return f"urn:uuid:{own}"
