"""Patients, the values that a run started from, and what it predicts for them, as FHIR R4."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fhir_io import vocabulary as v
from fhir_io.export.elements import (
    SNOMED,
    coded,
    on_day,
    origin_tag,
    quantity,
    quantity_code,
    simulated,
)
from fhir_io.export.names import Json, Names
from fhir_io.export.schema import Interval, Measurement, Prediction, Risk, Subject, Waveform
from vht.state import OLDEST_AGE


def patient(subject: Subject, names: Names, arm: str | None = None) -> Json:
    """A Patient: sex, age at day 0 and the recipient's name for them, nothing else.

    With an arm it is the virtual twin of the patient in that arm, marked as simulated.
    """
    name = names.patient(subject.subject, arm)
    extensions = []
    if subject.age_years is not None:
        age: Json = {**quantity(Decimal(subject.age_years), "a"), "unit": "years"}
        if subject.age_years >= OLDEST_AGE:
            age["comparator"] = ">="
        extensions.append({"url": v.AGE_AT_DAY_ZERO, "valueQuantity": age})
    if arm is not None:
        source = names.reference("Patient", names.patient_id(subject.subject))
        extensions.append({"url": v.VIRTUAL_TWIN_OF, "valueReference": source})
    made: Json = {
        "resourceType": "Patient",
        "id": names.patient_id(subject.subject, arm),
        "identifier": [{"system": v.PSEUDONYM, "value": name}],
        "gender": subject.sex,
    }
    if arm is not None:
        made["meta"] = simulated()
    if extensions:
        made["extension"] = extensions
    return made


def measurement(value: Measurement, names: Names) -> Json:
    """A value of the record, or one that was derived or imputed and says so."""
    day = "" if value.day is None else str(value.day)
    made: Json = {
        "resourceType": "Observation",
        "id": names.next("Observation", names.patient(value.subject), "measured", value.quantity, day),
        "status": "final",
        "category": [coded(v.CATEGORY, "model-input", "Input of a model")],
        "code": quantity_code(value.quantity),
        "subject": names.reference("Patient", names.patient_id(value.subject)),
        "valueQuantity": quantity(value.value, value.unit),
    }
    if value.origin != "recorded":
        made["meta"] = {"tag": [origin_tag(value.origin)]}
    if value.day is not None:
        made["extension"] = [on_day(value.day)]
    return made


def prediction(value: Prediction, names: Names, device: Json, inputs: Sequence[Json]) -> Json:
    """A predicted value: preliminary, marked as simulated, with its interval as components."""
    made = _predicted(value, names, device, inputs)
    made["code"] = quantity_code(value.quantity)
    made["valueQuantity"] = quantity(value.value, value.unit)
    components = _bounds(value.interval, value.unit)
    if value.simulated_measurement is not None:
        components.append(
            {
                "code": coded(v.STATISTIC, "simulated-measurement", "As a simulated trial measured it"),
                "valueQuantity": quantity(value.simulated_measurement, value.unit),
            }
        )
    if components:
        made["component"] = components
    if value.model is not None:
        made["method"] = {"text": value.model}
    return made


def waveform(value: Waveform, names: Names, device: Json, inputs: Sequence[Json]) -> Json:
    """A predicted signal as SampledData; its numbers are written as they are."""
    made = _predicted(value, names, device, inputs)
    made["code"] = coded(v.SIGNAL, value.signal, value.signal.replace("_", " "))
    made["valueSampledData"] = {
        "origin": quantity(Decimal(0), value.unit),
        "period": value.step_ms,
        "dimensions": 1,
        "data": " ".join(_sample(number) for number in value.values),
    }
    return made


def risk(value: Risk, names: Names, device: Json, inputs: Sequence[Json]) -> Json:
    """A predicted probability as RiskAssessment; its interval is an extension, for R4 has no element."""
    subject = names.patient_id(value.subject, value.arm)
    outcome: Json = {"text": value.outcome}
    if value.code is not None:
        outcome["coding"] = [{"system": SNOMED, "code": value.code}]
    forecast: Json = {
        "outcome": outcome,
        "probabilityDecimal": value.probability,
        "whenRange": {"low": quantity(Decimal(0), "d"), "high": quantity(value.horizon_days, "d")},
    }
    if value.interval is not None:
        bounds = {"low": quantity(value.interval.low, "1"), "high": quantity(value.interval.high, "1")}
        forecast["extension"] = [
            {"url": v.PROBABILITY_INTERVAL, "valueRange": bounds},
            {"url": v.INTERVAL_LEVEL, "valueDecimal": value.interval.level},
        ]
    made: Json = {
        "resourceType": "RiskAssessment",
        "id": names.next("RiskAssessment", names.patient(value.subject, value.arm), value.outcome),
        "meta": simulated(),
        "status": "preliminary",
        "subject": names.reference("Patient", subject),
        "performer": device,
        "prediction": [forecast],
    }
    if inputs:
        made["basis"] = list(inputs)
    if value.model is not None:
        made["method"] = {"text": value.model}
    return made


# ---------------------------------------------------------------------------------------------------


def _predicted(value: Prediction | Waveform, names: Names, device: Json, inputs: Sequence[Json]) -> Json:
    what = value.quantity if isinstance(value, Prediction) else value.signal
    who = names.patient(value.subject, value.arm)
    made: Json = {
        "resourceType": "Observation",
        "id": names.next("Observation", who, "predicted", what, str(value.day)),
        "meta": simulated(),
        "extension": [on_day(value.day)],
        "status": "preliminary",
        "category": [coded(v.CATEGORY, "prediction", "Prediction of a model, not a measurement")],
        "subject": names.reference("Patient", names.patient_id(value.subject, value.arm)),
        "device": device,
    }
    if inputs:
        made["derivedFrom"] = list(inputs)
    return made


def _bounds(interval: Interval | None, unit: str) -> list[Any]:
    if interval is None:
        return []
    level = {"url": v.INTERVAL_LEVEL, "valueDecimal": interval.level}
    bounds = (
        ("interval-low", "Lower bound of the interval", interval.low),
        ("interval-high", "Upper bound of the interval", interval.high),
    )
    return [
        {"extension": [level], "code": coded(v.STATISTIC, code, text), "valueQuantity": quantity(bound, unit)}
        for code, text, bound in bounds
    ]


def _sample(number: Decimal) -> str:
    """A number of SampledData.data, which has decimals without an exponent."""
    return f"{number:f}"
