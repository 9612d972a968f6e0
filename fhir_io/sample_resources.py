"""Writing a synthetic patient as a FHIR R4 Bundle, identifiers, narrative and mess included."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fhir_io.mapping.code_tables import Tables
from fhir_io.sample_mess import MESS, lesion_in_centimetres
from fhir_io.sample_patients import SyntheticPatient, Visit
from vht.concepts import CONCEPTS

_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_HOSPITAL = "http://hospital.example.org"
_SITES = ("Liver", "Peritoneum", "Liver", "Small intestine", "Peritoneum")  # two an organ at most, RECIST 1.1
_PHYSICIAN = "Dr. Ottoline Ravensworth"
_MG_DL_TO_UMOL_L = 1e4 / 113.12  # molar mass of creatinine, g/mol

Json = dict[str, Any]


def patient_bundle(patient: SyntheticPatient) -> Json:
    """The Bundle of one patient: transaction or collection, all references resolving inside it."""
    return _Writer(patient).bundle()


def file_name(patient: SyntheticPatient) -> str:
    """Named as exports name their files: after the patient."""
    return f"{patient.given}_{patient.family}_{patient.ids[0]}.json"


class _Writer:
    """Builds one patient's resources, taking ids in order from the patient's own."""

    def __init__(self, patient: SyntheticPatient):
        self.patient = patient
        self.has = {name: rule(patient.index) for name, rule in MESS.items()}
        self._ids = iter(patient.ids)
        self.resources: list[Json] = []
        self.subject: Json = {}

    def bundle(self) -> Json:
        self._person()
        self._encounter()
        self._conditions()
        self._medications()
        for number, visit in enumerate(self.patient.visits):
            self._vital_signs(visit, number)
        self._withdrawn_readings()
        self._body()
        self._lesions()
        self._laboratory()
        if self.has["exact_duplicate"]:
            copy = dict(next(r for r in reversed(self.resources) if r["resourceType"] == "Observation"))
            copy["id"] = next(self._ids)
            self.resources.append(copy)
        kind = "collection" if self.has["collection_bundle"] else "transaction"
        return {
            "resourceType": "Bundle",
            "type": kind,
            "entry": [self._entry(resource, kind) for resource in self.resources],
        }

    def _entry(self, resource: Json, kind: str) -> Json:
        where = f"{resource['resourceType']}/{resource['id']}"
        url = f"{_HOSPITAL}/fhir/{where}" if self.has["relative_references"] else f"urn:uuid:{resource['id']}"
        entry: Json = {"fullUrl": url, "resource": resource}
        if kind == "transaction":
            entry["request"] = {"method": "POST", "url": resource["resourceType"]}
        return entry

    def _add(self, kind: str, **content: Any) -> Json:
        resource = {"resourceType": kind, "id": next(self._ids), **content}
        self.resources.append(resource)
        return resource

    def _refer(self, resource: Json, display: str | None = None) -> Json:
        own = resource["id"]
        text = f"{resource['resourceType']}/{own}" if self.has["relative_references"] else f"urn:uuid:{own}"
        return {"reference": text, "display": display} if display else {"reference": text}

    # -- the person, with everything that must not come out at the other end

    def _person(self) -> None:
        p = self.patient
        name = f"{p.given} {p.family}"
        born = p.born.isoformat()
        if self.has["birth_year_only"]:
            born = born[:4]
        elif self.has["birth_month_only"]:
            born = born[:7]
        person = self._add(
            "Patient",
            text=_narrative(
                f"{name}, born {p.born.isoformat()}, {p.street}, {p.town}. Record {p.record_number}."
            ),
            identifier=[
                {"system": f"{_HOSPITAL}/portal", "value": p.email},
                _identifier("MR", "Medical Record Number", f"{_HOSPITAL}/mrn", p.record_number),
                _identifier(
                    "SS", "Social Security Number", "http://hl7.org/fhir/sid/us-ssn", p.social_security
                ),
            ],
            name=[{"use": "official", "family": p.family, "given": [p.given]}],
            telecom=[
                {"system": "phone", "value": p.phone, "use": "home"},
                {"system": "email", "value": p.email},
            ],
            gender=p.sex,
            birthDate=born,
            address=[{"line": [p.street], "city": p.town, "postalCode": p.postal_code, "country": "GB"}],
            contact=[
                {
                    "name": {"family": p.family, "given": ["Marguerite"]},
                    "telecom": [{"system": "phone", "value": p.phone}],
                }
            ],
        )
        self.subject = self._refer(person, name)

    def _encounter(self) -> None:
        self._add(
            "Encounter",
            status="finished",
            **{"class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": "AMB"}},
            subject=self.subject,
            participant=[{"individual": {"display": _PHYSICIAN}}],
            period={
                "start": self._at(self.patient.screening, 540),
                "end": self._at(self.patient.screening, 570),
            },
        )

    # -- conditions and medication

    def _conditions(self) -> None:
        p = self.patient
        self._condition("gastrointestinal_stromal_tumour", p.diagnosed)
        self._condition("liver_metastases", p.diagnosed + (p.screening - p.diagnosed) / 2)
        if p.hypertensive_since:
            self._condition("hypertension", p.hypertensive_since, code=p.index % 2)
        if self.has["refuted_diabetes"]:
            self._condition("diabetes_mellitus", p.diagnosed, verification="refuted")

    def _condition(self, name: str, onset: date, code: int = 0, verification: str = "confirmed") -> None:
        status: Json = {"verificationStatus": _concept(f"{_TERMINOLOGY}/condition-ver-status", verification)}
        if verification == "confirmed":
            status["clinicalStatus"] = _concept(f"{_TERMINOLOGY}/condition-clinical", "active")
        self._add(
            "Condition",
            **status,
            code=_coded(name, "snomed", code),
            subject=self.subject,
            onsetDateTime=onset.isoformat(),
            note=[{"text": f"Discussed with {self.patient.given} {self.patient.family} by {_PHYSICIAN}."}],
        )

    def _medications(self) -> None:
        p = self.patient
        if p.treated and p.hypertensive_since:
            names = (
                ("amlodipine", "lisinopril")
                if p.index % 5 == 0
                else (("amlodipine", "lisinopril")[p.index % 2],)
            )
            for name in names:
                self._medication(name, p.screening - timedelta(days=300), "order")
        if self.has["planned_medication"]:
            self._medication("hydrochlorothiazide", p.screening - timedelta(days=20), "plan")

    def _medication(self, name: str, written: date, intent: str) -> None:
        self._add(
            "MedicationRequest",
            status="active",
            intent=intent,
            medicationCodeableConcept=_coded(name, "rxnorm"),
            subject=self.subject,
            authoredOn=self._at(written, 600),
            requester={"display": _PHYSICIAN},
        )

    # -- observations

    def _vital_signs(self, visit: Visit, number: int) -> None:
        last = number == len(self.patient.visits) - 1
        at = {"effectiveDateTime": self._at(visit.on, visit.minute)}
        systolic: Json = {"valueQuantity": self._pressure(visit.systolic)}
        diastolic: Json = {"valueQuantity": self._pressure(visit.diastolic)}
        if self.has["absent_diastolic"] and number == 0:
            diastolic = {"dataAbsentReason": _concept(f"{_TERMINOLOGY}/data-absent-reason", "not-performed")}
        if self.has["lone_pressures"]:
            self._observe("8480-6", "Systolic blood pressure", **at, **systolic)
            self._observe("8462-4", "Diastolic blood pressure", **at, **diastolic)
        else:
            panel = "55284-4" if self.has["older_pressure_panel"] else "85354-9"
            self._observe(
                panel,
                "Blood pressure",
                **at,
                component=[
                    {"code": _concept(_LOINC, "8480-6", "Systolic blood pressure"), **systolic},
                    {"code": _concept(_LOINC, "8462-4", "Diastolic blood pressure"), **diastolic},
                ],
            )
        if last and not self.has["no_heart_rate"]:
            self._observe("8867-4", "Heart rate", **at, valueQuantity=_quantity(visit.heart_rate, "/min"))

    def _withdrawn_readings(self) -> None:
        """Readings that must not be used: withdrawn, preliminary, or without a day."""
        last = self.patient.visits[-1]
        later = {"effectiveDateTime": self._at(last.on, last.minute + 5)}
        if self.has["entered_in_error"]:
            self._observe(
                "8480-6",
                "Systolic blood pressure",
                status="entered-in-error",
                **later,
                valueQuantity=_quantity(287, "mm[Hg]"),
            )
        if self.has["preliminary_reading"]:
            self._observe(
                "8480-6",
                "Systolic blood pressure",
                status="preliminary",
                **later,
                valueQuantity=_quantity(231, "mm[Hg]"),
            )
        if self.has["month_only_reading"]:
            self._observe(
                "8867-4",
                "Heart rate",
                effectiveDateTime=last.on.isoformat()[:7],
                valueQuantity=_quantity(139, "/min"),
            )

    def _body(self) -> None:
        p = self.patient
        at = {"effectiveDateTime": self._at(p.visits[-1].on, p.visits[-1].minute)}
        weight = _quantity(p.weight_kg, "kg")
        if self.has["weight_in_pounds"]:
            weight = _quantity(round(p.weight_kg / 0.45359237, 2), "[lb_av]", "lbs")
        self._observe("8302-2", "Body height", **at, valueQuantity=_quantity(p.height_cm, "cm"))
        self._observe("29463-7", "Body weight", **at, valueQuantity=weight)
        self._observe("89247-1", "ECOG performance status", **at, valueInteger=p.ecog)

    def _lesions(self) -> None:
        p = self.patient
        for number, diameter in enumerate(p.lesions_mm):
            size = _quantity(diameter, "mm")
            if lesion_in_centimetres(p.index, number):
                size = _quantity(diameter / 10, "cm")
            self._observe(
                "21889-1",
                "Size Tumor",
                effectiveDateTime=p.scanned.isoformat(),
                bodySite={"text": _SITES[number]},
                component=[
                    {
                        "code": _concept(_LOINC, "33728-7", "Size.maximum dimension in Tumor"),
                        "valueQuantity": size,
                    }
                ],
            )

    def _laboratory(self) -> None:
        p = self.patient
        at = {"effectiveDateTime": self._at(p.visits[-1].on, p.visits[-1].minute + 15)}
        creatinine = _quantity(p.creatinine_mg_dl, "mg/dL")
        if self.has["creatinine_molar"]:
            creatinine = _quantity(round(p.creatinine_mg_dl * _MG_DL_TO_UMOL_L, 1), "umol/L", "µmol/L")
        haemoglobin = _quantity(p.haemoglobin_g_dl, "g/dL")
        if self.has["haemoglobin_per_litre"]:
            haemoglobin = _quantity(round(p.haemoglobin_g_dl * 10), "g/L")
        self._observe("2160-0", "Creatinine", **at, valueQuantity=creatinine)
        self._observe("718-7", "Hemoglobin", **at, valueQuantity=haemoglobin)
        self._observe("777-3", "Platelets", **at, valueQuantity=_quantity(p.platelets, "10*3/uL"))
        if self.has["bound_in_place_of_value"]:
            bound = {**_quantity(0.2, "mg/dL"), "comparator": "<"}
            self._observe("1975-2", "Bilirubin.total", **at, valueQuantity=bound)

    def _observe(self, code: str, display: str, status: str = "final", **content: Any) -> None:
        self._add(
            "Observation",
            status=status,
            code=_concept(_LOINC, code, display),
            subject=self.subject,
            performer=[{"display": _PHYSICIAN}],
            note=[{"text": f"Mr/Ms {self.patient.family} can be reached on {self.patient.phone}."}],
            **content,
        )

    def _pressure(self, value: int) -> Json:
        if self.has["pressure_unit_as_text"]:
            return {"value": value, "unit": "mmHg"}
        return _quantity(value, "mm[Hg]", "mmHg")

    def _at(self, on: date, minute: int) -> str:
        return f"{on.isoformat()}T{minute // 60:02d}:{minute % 60:02d}:00{self.patient.zone}"


def _quantity(value: float, code: str, unit: str | None = None) -> Json:
    return {"value": value, "unit": unit or code, "system": _UCUM, "code": code}


def _coded(name: str, system: str, which: int = 0) -> Json:
    """A concept under one of the codes that the code tables hold for it."""
    tables = Tables.load()
    return _concept(tables.uris[system], tables.codes_of_concept(name, system)[which], CONCEPTS[name].label)


def _concept(system: str, code: str, display: str | None = None) -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [{**coding, "display": display}], "text": display} if display else {"coding": [coding]}


def _identifier(code: str, label: str, system: str, value: str) -> Json:
    kind = {"coding": [{"system": f"{_TERMINOLOGY}/v2-0203", "code": code, "display": label}], "text": label}
    return {"type": kind, "system": system, "value": value}


def _narrative(text: str) -> Json:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}
