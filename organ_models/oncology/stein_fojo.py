"""Biexponential courses: prostate-specific antigen (Stein et al. 2008), and ALK-positive lung cancer.

y = y0 [exp(kg t) + exp(-ks t) - 1]
"""

from __future__ import annotations

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.oncology.biexponential import (
    NO_PLATEAU,
    SteinFojoState,
    TreatmentInputs,
    stein_fojo,
    stein_fojo_after,
    stein_fojo_rates,
    stein_fojo_start,
    stein_fojo_time_to_growth,
)
from organ_models.references import ALK_NSCLC, STEIN_2008
from organ_models.scenarios import Variant
from organ_models.variability import variance_of_cv


@variables
class LungParameters:
    baseline_sum_of_diameters: Array = parameter(
        57.0,
        "mm",
        "TS0, sum of longest diameters at the start",
        source=ALK_NSCLC,
        bounds=(1, 5000),
        omega2=variance_of_cv(0.66),
        quantity="sum_of_longest_diameters",
    )
    growth_rate: Array = parameter(
        0.00196,
        "/wk",
        "KG",
        source=ALK_NSCLC,
        bounds=(1e-12, 5),
        working_unit="/d",
        omega2=variance_of_cv(1.38),
    )
    shrinkage_rate: Array = parameter(
        0.0342,
        "/wk",
        "KS",
        source=ALK_NSCLC,
        bounds=(1e-12, 50),
        working_unit="/d",
        omega2=variance_of_cv(0.97),
    )


@variables
class LungOutputs:
    sum_of_diameters: Array = variable("mm", "sum of longest diameters", quantity="sum_of_longest_diameters")
    time_to_growth: Array = variable("d", "time to growth: when the treated tumour is smallest")


@variables
class AntigenParameters:
    baseline_antigen: Array = parameter(
        1.0,
        "ng/mL",
        "prostate-specific antigen at the start; 1: the course is relative to it",
        source=STEIN_2008,
        bounds=(1e-6, 1e6),
        certainty="assumption",
        quantity="prostate_specific_antigen",
    )
    growth_rate: Array = parameter(
        10**-2.5,
        "/d",
        "g; median log10 is -2.5, of a spread of about 1500-fold",
        source=STEIN_2008,
        bounds=(1e-12, 10),
    )
    decay_rate: Array = parameter(
        10**-1.7,
        "/d",
        "d; median log10 is -1.7, of a spread of about 50-fold",
        source=STEIN_2008,
        bounds=(1e-12, 10),
    )


@variables
class AntigenOutputs:
    antigen: Array = variable("ng/mL", "prostate-specific antigen", quantity="prostate_specific_antigen")
    time_to_growth: Array = variable("d", "when the antigen is lowest")


def lung_initial(p: LungParameters) -> SteinFojoState:
    return stein_fojo_start(p.baseline_sum_of_diameters)


def lung_derivative(time: Array, x: SteinFojoState, p: LungParameters, u: TreatmentInputs) -> SteinFojoState:
    """Rates per day."""
    return stein_fojo_rates(x, p.growth_rate, p.shrinkage_rate * u.treatment)


def lung_solution(elapsed: Array, x: SteinFojoState, p: LungParameters, u: TreatmentInputs) -> SteinFojoState:
    return stein_fojo_after(x, elapsed, p.growth_rate, p.shrinkage_rate * u.treatment)


def lung_observe(time: Array, x: SteinFojoState, p: LungParameters, u: TreatmentInputs) -> LungOutputs:
    return LungOutputs(
        sum_of_diameters=p.baseline_sum_of_diameters * stein_fojo(x),
        time_to_growth=stein_fojo_time_to_growth(p.growth_rate, p.shrinkage_rate),
    )


def antigen_initial(p: AntigenParameters) -> SteinFojoState:
    return stein_fojo_start(p.baseline_antigen)


def antigen_derivative(
    time: Array, x: SteinFojoState, p: AntigenParameters, u: TreatmentInputs
) -> SteinFojoState:
    """Rates per day."""
    return stein_fojo_rates(x, p.growth_rate, p.decay_rate * u.treatment)


def antigen_solution(
    elapsed: Array, x: SteinFojoState, p: AntigenParameters, u: TreatmentInputs
) -> SteinFojoState:
    return stein_fojo_after(x, elapsed, p.growth_rate, p.decay_rate * u.treatment)


def antigen_observe(
    time: Array, x: SteinFojoState, p: AntigenParameters, u: TreatmentInputs
) -> AntigenOutputs:
    return AntigenOutputs(
        antigen=p.baseline_antigen * stein_fojo(x),
        time_to_growth=stein_fojo_time_to_growth(p.growth_rate, p.decay_rate),
    )


ALK_LUNG_CANCER = OrganModel(
    name="alk_lung_cancer",
    title="ALK-positive lung cancer under alectinib",
    version="1.0",
    clock="d",
    Parameters=LungParameters,
    State=SteinFojoState,
    Inputs=TreatmentInputs,
    Outputs=LungOutputs,
    initial=lung_initial,
    derivative=lung_derivative,
    solution=lung_solution,
    observe=lung_observe,
    references=(ALK_NSCLC,),
    notes=NO_PLATEAU + " No residual error was published in a form that was read.",
    variants=(
        Variant(
            "crizotinib",
            "crizotinib",
            {"growth_rate": 0.00438, "shrinkage_rate": 0.0373},
            ALK_NSCLC,
            variances={"growth_rate": variance_of_cv(1.05), "shrinkage_rate": variance_of_cv(0.91)},
        ),
    ),
)
STEIN_ANTIGEN = OrganModel(
    name="stein_antigen",
    title="Prostate-specific antigen in castration-resistant prostate cancer",
    version="1.0",
    clock="d",
    Parameters=AntigenParameters,
    State=SteinFojoState,
    Inputs=TreatmentInputs,
    Outputs=AntigenOutputs,
    initial=antigen_initial,
    derivative=antigen_derivative,
    solution=antigen_solution,
    observe=antigen_observe,
    references=(STEIN_2008,),
    notes="Medians of 112 patients. Their spread was published as a range, not as a distribution: none is "
    "drawn. Growth is exponential without a plateau.",
)
