"""RECIST 1.1 and iRECIST: from diameters and lesions seen at visits to responses, rates and times.

Everything here is a pure function of arrays, patients along the first axis and visits along the second.
Nothing draws random numbers: measurement error belongs to the sums before they are categorised, because
categories of noise-free sums understate how often a tumour seems to respond or to progress.

Sources: Eisenhauer EA, Therasse P, Bogaerts J, et al. New response evaluation criteria in solid tumours:
revised RECIST guideline (version 1.1). Eur J Cancer 2009;45:228-247, 10.1016/j.ejca.2008.10.026. Seymour L,
Bogaerts J, Perrone A, et al. iRECIST: guidelines for response criteria for use in trials testing
immunotherapeutics. Lancet Oncol 2017;18:e143-e152, 10.1016/S1470-2045(17)30074-8.
"""

from vht.recist import sizes
from vht.recist.best import (
    BestResponse,
    BestResponses,
    best_overall_response,
    best_responses,
    control_near,
    controlled,
    responded,
    response_start,
)
from vht.recist.immune import ImmuneResponse, immune_responses
from vht.recist.lesions import Targets, choose_targets, measurable, recorded_diameters, target_sums
from vht.recist.responses import (
    Response,
    overall_response,
    overall_responses,
    progressed,
    target_responses,
)
from vht.recist.times import EventTimes, duration_of_response, progression_free

__all__ = [
    "BestResponse",
    "BestResponses",
    "EventTimes",
    "ImmuneResponse",
    "Response",
    "Targets",
    "best_overall_response",
    "best_responses",
    "choose_targets",
    "control_near",
    "controlled",
    "duration_of_response",
    "immune_responses",
    "measurable",
    "overall_response",
    "overall_responses",
    "progressed",
    "progression_free",
    "recorded_diameters",
    "responded",
    "response_start",
    "sizes",
    "target_responses",
    "target_sums",
]
