"""Trial protocols: declared in YAML, checked to the line, named by their digest.

A protocol says who takes part, what each arm receives, when what is measured and with which error, and what
is asked of it. :func:`load_protocol` reads one and reports everything that is wrong with it in one go.
"""

from trials.protocol.amounts import Amount
from trials.protocol.doses import Dose, RegimenDose
from trials.protocol.load import load_protocol
from trials.protocol.schema import (
    Arm,
    BestResponse,
    ChangeFromBaseline,
    Coupling,
    DiseaseControl,
    Dropout,
    DurationOfResponse,
    Eligibility,
    Endpoint,
    EverAtOrAbove,
    EverBelow,
    LinkCovariate,
    MeasurementError,
    NewLesions,
    PeakChange,
    PredictedSurvival,
    ProgressionFreeTime,
    Protocol,
    ProtocolError,
    Range,
    Visits,
)

__all__ = [
    "Amount",
    "Arm",
    "BestResponse",
    "ChangeFromBaseline",
    "Coupling",
    "DiseaseControl",
    "Dose",
    "Dropout",
    "DurationOfResponse",
    "Eligibility",
    "Endpoint",
    "EverAtOrAbove",
    "EverBelow",
    "LinkCovariate",
    "MeasurementError",
    "NewLesions",
    "PeakChange",
    "PredictedSurvival",
    "ProgressionFreeTime",
    "Protocol",
    "ProtocolError",
    "Range",
    "RegimenDose",
    "Visits",
    "load_protocol",
]
