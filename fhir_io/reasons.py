"""Why a resource, or one value of it, did not enter a patient state."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """One reason, with the sentence that the report prints."""

    TYPE_NOT_NEEDED = "The toolkit takes nothing from resources of this type."
    NOT_A_RESOURCE = "The entry or line is JSON, but has no resourceType."
    INVALID = "The resource is not valid under FHIR R4B."
    MODIFIED_MEANING = "It carries implicitRules or a modifierExtension, which may change its meaning."
    ENTERED_IN_ERROR = "It was marked as entered in error."
    NOT_FINAL = "Its status does not say that the result is final, amended or corrected."
    SIMULATED = "It is marked as simulated, derived or imputed: a prediction, not a measurement."
    NOT_DONE = "Its status says that it did not happen or is only planned."
    NOT_CONFIRMED = "The condition is refuted, provisional, differential or unconfirmed."
    NOT_AN_ORDER = "It is a proposal, a plan or an instruction not to perform."
    UNKNOWN_STATUS = "Its status is missing or is not one that FHIR R4 defines."
    UNKNOWN_CODE = "None of its codes stands for a quantity or concept that the toolkit knows."
    AMBIGUOUS_CODE = "Its codes stand for two different quantities, concepts or answers."
    SITUATION = "Its code tells of the past, of relatives or of a suspicion, not of this patient now."
    UNKNOWN_ANSWER = "Its answer is none that the code tables know for this question."
    GROUP = "It only groups other Observations, which are read on their own."
    VALUE_ABSENT = "It states that the value is absent, or has no value."
    NOT_A_NUMBER = "The value is not a finite number."
    COMPARATOR = "The value is a bound or a range, not a measurement."
    MALFORMED_RANGE = "The range is empty or reversed, or its ends are in two units."
    MALFORMED_SAMPLES = "The sampled data lack an element, or hold a word that is no datum."
    SEVERAL_DIMENSIONS = "The sampled data have several dimensions."
    TOO_MANY_SAMPLES = "The sampled data are a waveform of more than 100,000 points."
    SAMPLE_NOT_MEASURED = "A point of sampled data says that it could not be measured."
    NO_UNIT = "The number has no unit."
    UNIT_NOT_CONVERTIBLE = "The unit cannot be converted to the unit of the quantity."
    IMPLAUSIBLE = "The value lies outside the plausible range of the quantity."
    NO_DATE = "It has no date that places it on the day axis of the patient."
    PARTIAL_DATE = "Its date gives only a year or a month."
    SEVERAL_TIMES = "It gives several times for one value."
    NO_ZONE = "Its time of day has no time zone."
    MALFORMED_DATE = "Its date is not a FHIR date."
    NO_SUBJECT = "It names no patient."
    UNRESOLVED_SUBJECT = "The patient that it names is not in the source, or not uniquely."
    UNRESOLVED_MEDICATION = "The medication that it names is not in the source."
    ENDED_WITHOUT_DATE = "It is over, but neither its start nor its end is recorded."
    DUPLICATE = "The same content was already read for this patient."
    DELETED = "The source says that the resource was deleted."
    SUPERSEDED = "A newer version of the same resource was read."
    NO_IDENTITY = "The patient has neither an identifier nor an id."
    CONFLICTING_PATIENT = "Another patient with the same identifier has another date of birth or sex."
    MERGED = "Patient.link says that the patient is the same person as another one."
    NO_CONSENT = "The patient has not consented, or has withdrawn consent, to this use."
    MIXED_TIME = "It has a calendar date, but this patient's days count from a day 0 without one."
    NO_EVENTS = "No dated record of this patient could be used, so there is no day 0."

    @property
    def code(self) -> str:
        """The name used in reports and on the command line, in lower case."""
        return self.name.lower()


class Note(Enum):
    """Something worth counting about resources that were used."""

    ORDER_OVER_WITHOUT_END = "Medication that is over without a recorded end: kept at its start only."
    CONDITION_OVER_WITHOUT_END = "Condition that is over without a recorded end: kept at its start only."
    PARTIAL_ONSET = "Condition whose onset is only a year or a month: kept with that uncertainty."
    UNDATED_CONDITION = "Condition without a usable date of onset: kept without a start."
    PARTIAL_BIRTH_DATE = "Date of birth gives only a year or a month: age has an uncertainty."
    MISREAD_PATIENT = (
        "Patient of whom sex, birth, death, an identifier or a link is not as FHIR has it: not known."
    )
    NO_BIRTH_DATE = "No usable date of birth: age is not known."
    UNIT_FROM_TEXT = "Unit read from its text, since the unit had no usable code."
    SUM_NOT_DERIVED = "Date on which a lesion could not be used: no sum of diameters was derived."
    TAKEN_AS_ABSENT = "Condition that a rule of the site takes as absent where it is not recorded."
    SHARED_ID = "Ids that two patients of the source share: read as different resources."
    ZONE_ASSUMED = "Time of day without a zone, taken as the clock of the zone that was given."
    PREDICTION_ACCEPTED = "Prediction that was taken for a measurement, since that was asked for."
    EXPORT_ERRORS = "Error files that the bulk export's manifest lists."

    @property
    def code(self) -> str:
        """The name used in reports, in lower case."""
        return self.name.lower()
