"""Building the closed patient state from allow-listed facts on the relative-day axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from fhir_io.mapping.events import Happening, Table
from fhir_io.mapping.observations import LESION, SUM_OF_LESIONS, Reading
from fhir_io.mapping.patients import PatientFacts
from fhir_io.mapping.times import Moment
from fhir_io.reasons import Note
from vht.quantities import quantity
from vht.state import OLDEST_AGE, Event, Observation, PatientState


def build_state(
    facts: PatientFacts,
    readings: Sequence[Reading],
    events: Sequence[Happening],
    *,
    pseudonym: str,
    study_number: int,
    day_zero: date,
    notes: Counter[Note],
) -> PatientState:
    """One patient's state; counts in ``notes`` what is worth knowing about it."""
    age, uncertainty = _age(facts, day_zero, notes)
    if facts.deceased:
        notes[Note.DECEASED] += 1
    recorded = [
        Observation(quantity=v.quantity, value=v.value, day=reading.at.day_after(day_zero))
        for reading in readings
        if reading.at
        for v in reading.values
    ]
    notes[Note.UNIT_FROM_TEXT] += sum(v.from_text for reading in readings for v in reading.values)
    sums = _sums_of_lesions(readings, day_zero, notes)
    observations = sorted([*recorded, *sums], key=lambda o: (o.day, o.quantity, o.value, o.origin))
    for note in [note for note, count in notes.items() if not count]:
        del notes[note]
    return PatientState(
        pseudonym=pseudonym,
        study_number=study_number,
        sex=facts.sex,
        age_years=age,
        age_uncertainty_years=uncertainty,
        observations=tuple(observations),
        conditions=_events(events, "conditions", day_zero),
        medications=_events(events, "medications", day_zero),
        procedures=_events(events, "procedures", day_zero),
    )


def _age(facts: PatientFacts, day_zero: date, notes: Counter[Note]) -> tuple[int | None, float]:
    """Completed years at day 0, 90 for 90 and older, with the half-width a partial date leaves."""
    if facts.born is None or facts.born.latest > day_zero:
        notes[Note.NO_BIRTH_DATE] += 1
        return None, 0.0
    if not facts.born.complete:
        notes[Note.PARTIAL_BIRTH_DATE] += 1
    years, uncertainty = facts.born.age(day_zero)
    return min(max(years, 0), OLDEST_AGE), uncertainty


def _sums_of_lesions(readings: Sequence[Reading], zero: date, notes: Counter[Note]) -> Iterable[Observation]:
    """The sum of longest diameters of each date (RECIST 1.1, Eisenhauer 2009), in mm.

    A date on which a lesion was recorded but could not be used has no sum: it would be too small.
    """
    lost = {reading.lesion_lost_on for reading in readings} - {None}
    found: dict[int, list[tuple[Moment, float]]] = {}
    for reading in readings:
        for value in reading.values:
            if value.quantity == LESION and reading.at:
                found.setdefault(reading.at.ordinal, []).append((reading.at, value.value))
    notes[Note.SUM_NOT_DERIVED] += len(lost)
    high = quantity(SUM_OF_LESIONS).plausible[1]
    for ordinal, lesions in found.items():
        total = sum(diameter for _, diameter in lesions)
        if ordinal not in lost and total <= high:
            last = max((at for at, _ in lesions), key=lambda at: at.fraction)
            yield Observation(
                quantity=SUM_OF_LESIONS, value=total, day=last.day_after(zero), origin="derived"
            )


def _events(events: Sequence[Happening], table: Table, zero: date) -> tuple[Event, ...]:
    made = [
        Event(
            concept=concept,
            start_day=event.start.day_after(zero) if event.start else None,
            end_day=event.end.day_after(zero) if event.end else None,
        )
        for event in events
        if event.table == table
        for concept in (event.concept or "", *event.also)
    ]
    return tuple(sorted(made, key=_order))


def _order(event: Event) -> tuple[float, str, float]:
    first = float("-inf") if event.start_day is None else event.start_day
    last = float("inf") if event.end_day is None else event.end_day
    return first, event.concept, last
