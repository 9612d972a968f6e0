"""Tumour size of gastrointestinal stromal tumours under sunitinib (Hansson et al. 2013).

The sum of longest diameters grows exponentially and shrinks by exposure and by the relative changes
of two soluble biomarkers, sVEGFR-3 and sKIT, with a drug effect that wears off:

    y' = KG y - [KD AUC + KsKIT (sKIT_pla - sKIT)/sKIT_pla + KV3 (BL3 - V3)/BL3] exp(-lambda t) y

sKIT is compared with what it would be off drug (it drifts upward), not with its baseline. The size is
carried as its logarithm. VEGF, whose loss the drug slows, and sVEGFR-2 respond beside them and move nothing.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from organ_models.model import Array, OrganModel, parameter, variable, variables
from organ_models.references import HANSSON_2013
from organ_models.validation.sunitinib import EXPOSURE, TUMOUR_CHECKS, scenarios
from organ_models.variability import Residual


@variables
class Parameters:
    baseline_sum_of_diameters: Array = parameter(
        200.0,
        "mm",
        "sum of longest diameters at the start; medians of 108 to 255 mm by study",
        source=HANSSON_2013,
        bounds=(1, 5000),
        certainty="assumption",
        quantity="sum_of_longest_diameters",
    )
    growth_rate: Array = parameter(
        0.0118, "/wk", "KG", source=HANSSON_2013, bounds=(0, 5), working_unit="/d", omega2=0.290
    )
    exposure_kill: Array = parameter(
        0.00503,
        "L/(mg.h.wk)",
        "KD, shrinkage per exposure",
        source=HANSSON_2013,
        bounds=(0, 50),
        working_unit="L/(mg.h.d)",
        omega2=1.42,
    )
    kit_kill: Array = parameter(
        0.00282,
        "/wk",
        "KsKIT, shrinkage per relative fall of sKIT",
        source=HANSSON_2013,
        bounds=(0, 1e3),
        working_unit="/d",
        omega2=5.91,
    )
    vegfr3_kill: Array = parameter(
        0.0371,
        "/wk",
        "KV3, shrinkage per relative fall of sVEGFR-3",
        source=HANSSON_2013,
        bounds=(0, 10),
        working_unit="/d",
    )
    resistance_rate: Array = parameter(
        0.0217,
        "/wk",
        "lambda, loss of drug effect",
        source=HANSSON_2013,
        bounds=(0, 10),
        working_unit="/d",
    )
    vegfr3_baseline: Array = parameter(
        63900.0, "pg/mL", "sVEGFR-3 off drug", source=HANSSON_2013, bounds=(1, 1e8), omega2=0.186
    )
    vegfr3_residence_time: Array = parameter(
        401.0,
        "h",
        "mean residence time of sVEGFR-3",
        source=HANSSON_2013,
        bounds=(1, 1e5),
        working_unit="d",
        omega2=0.0600,
    )
    vegfr3_half_exposure: Array = parameter(
        1.0,
        "mg.h/L",
        "exposure that halves production of sVEGFR-3",
        source=HANSSON_2013,
        bounds=(1e-4, 1e5),
        omega2=0.398,
    )
    kit_baseline: Array = parameter(
        39200.0, "pg/mL", "sKIT at the start", source=HANSSON_2013, bounds=(1, 1e8), omega2=0.254
    )
    kit_residence_time: Array = parameter(
        2430.0,
        "h",
        "mean residence time of sKIT",
        source=HANSSON_2013,
        bounds=(1, 1e6),
        working_unit="d",
        omega2=0.0753,
    )
    kit_half_exposure: Array = parameter(
        1.0,
        "mg.h/L",
        "exposure that halves production of sKIT",
        source=HANSSON_2013,
        bounds=(1e-6, 1e6),
        omega2=5.77,
    )
    kit_drift: Array = parameter(
        3.5e-5,
        "/h",
        "relative growth of sKIT production with disease",
        source=HANSSON_2013,
        bounds=(0, 1),
        working_unit="/d",
        omega2=3.01,
    )
    vegf_baseline: Array = parameter(
        59.7, "pg/mL", "VEGF at the start", source=HANSSON_2013, bounds=(1e-3, 1e6), omega2=0.252
    )
    vegf_residence_time: Array = parameter(
        91.0,
        "h",
        "mean residence time of VEGF; varies as that of sVEGFR-3",
        source=HANSSON_2013,
        bounds=(1, 1e5),
        working_unit="d",
        omega2=0.0600,
    )
    vegf_half_exposure: Array = parameter(
        1.0,
        "mg.h/L",
        "exposure that halves loss of VEGF",
        source=HANSSON_2013,
        bounds=(1e-4, 1e5),
        omega2=0.253,
    )
    vegf_steepness: Array = parameter(
        3.31, "1", "Hill exponent of exposure on VEGF", source=HANSSON_2013, bounds=(0.1, 20)
    )
    vegf_drift: Array = parameter(
        3.5e-5,
        "/h",
        "relative growth of VEGF production with disease",
        source=HANSSON_2013,
        bounds=(0, 1),
        working_unit="/d",
        omega2=2.95,
    )
    vegfr2_baseline: Array = parameter(
        8670.0, "pg/mL", "sVEGFR-2 off drug", source=HANSSON_2013, bounds=(1, 1e8), omega2=0.0369
    )
    vegfr2_residence_time: Array = parameter(
        554.0,
        "h",
        "mean residence time of sVEGFR-2; varies as that of sVEGFR-3",
        source=HANSSON_2013,
        bounds=(1, 1e5),
        working_unit="d",
        omega2=0.0600,
    )
    vegfr2_half_exposure: Array = parameter(
        1.0,
        "mg.h/L",
        "exposure that halves production of sVEGFR-2",
        source=HANSSON_2013,
        bounds=(1e-4, 1e5),
        omega2=0.189,
    )
    vegfr2_steepness: Array = parameter(
        1.54, "1", "Hill exponent of exposure on sVEGFR-2", source=HANSSON_2013, bounds=(0.1, 20)
    )


@variables
class State:
    log_size: Array = variable("1", "ln(sum of longest diameters / mm)")
    vegfr3: Array = variable("pg/mL", "sVEGFR-3")
    kit: Array = variable("pg/mL", "sKIT")
    kit_untreated: Array = variable("pg/mL", "sKIT as it would be off drug")
    vegf: Array = variable("pg/mL", "VEGF")
    vegfr2: Array = variable("pg/mL", "sVEGFR-2")


@variables
class Inputs:
    daily_exposure: Array = variable(
        "mg.h/L",
        "area under the concentration curve over one day",
        default=0.0,
        meaning="area under sunitinib in plasma over one day",
    )


@variables
class Outputs:
    sum_of_diameters: Array = variable("mm", "sum of longest diameters", quantity="sum_of_longest_diameters")
    vegfr3_relative_change: Array = variable("1", "relative change of sVEGFR-3 from baseline")
    kit_relative_difference: Array = variable("1", "relative difference of sKIT from untreated")
    vegf: Array = variable("pg/mL", "VEGF")
    vegfr2: Array = variable("pg/mL", "sVEGFR-2")
    vegfr3: Array = variable("pg/mL", "sVEGFR-3")
    kit: Array = variable("pg/mL", "sKIT")


_NO_EXPOSURE = 1e-30
"""Exposure, mg.h/L, that is none, and keeps the logarithm and its derivative finite."""


def initial(p: Parameters) -> State:
    return State(
        log_size=jnp.log(p.baseline_sum_of_diameters),
        vegfr3=p.vegfr3_baseline,
        kit=p.kit_baseline,
        kit_untreated=p.kit_baseline,
        vegf=p.vegf_baseline,
        vegfr2=p.vegfr2_baseline,
    )


def _inhibition(exposure: Array, half: Array, steepness: Array) -> Array:
    """AUC^h / (IC50^h + AUC^h), without a power, which native code has not in vectors; 0 off drug."""
    relative = jnp.log(jnp.maximum(exposure, _NO_EXPOSURE)) - jnp.log(half)
    return jax.nn.sigmoid(steepness * relative)


def derivative(time: Array, x: State, p: Parameters, u: Inputs) -> State:
    """Rates per day; ``time`` in days from the start of treatment."""
    inhibition_vegfr3 = u.daily_exposure / (p.vegfr3_half_exposure + u.daily_exposure)
    inhibition_kit = u.daily_exposure / (p.kit_half_exposure + u.daily_exposure)
    inhibition_vegf = _inhibition(u.daily_exposure, p.vegf_half_exposure, p.vegf_steepness)
    inhibition_vegfr2 = _inhibition(u.daily_exposure, p.vegfr2_half_exposure, p.vegfr2_steepness)
    vegf_production = p.vegf_baseline * (1.0 + p.vegf_drift * time)
    kit_production = p.kit_baseline * (1.0 + p.kit_drift * time)
    effect = (
        p.exposure_kill * u.daily_exposure
        + p.kit_kill * (x.kit_untreated - x.kit) / x.kit_untreated
        + p.vegfr3_kill * (p.vegfr3_baseline - x.vegfr3) / p.vegfr3_baseline
    )
    return State(
        log_size=p.growth_rate - effect * jnp.exp(-p.resistance_rate * time),
        vegfr3=(p.vegfr3_baseline * (1.0 - inhibition_vegfr3) - x.vegfr3) / p.vegfr3_residence_time,
        kit=(kit_production * (1.0 - inhibition_kit) - x.kit) / p.kit_residence_time,
        kit_untreated=(kit_production - x.kit_untreated) / p.kit_residence_time,
        vegf=(vegf_production - (1.0 - inhibition_vegf) * x.vegf) / p.vegf_residence_time,
        vegfr2=(p.vegfr2_baseline * (1.0 - inhibition_vegfr2) - x.vegfr2) / p.vegfr2_residence_time,
    )


def observe(time: Array, x: State, p: Parameters, u: Inputs) -> Outputs:
    return Outputs(
        sum_of_diameters=jnp.exp(x.log_size),
        vegfr3_relative_change=x.vegfr3 / p.vegfr3_baseline - 1.0,
        kit_relative_difference=x.kit / x.kit_untreated - 1.0,
        vegf=x.vegf,
        vegfr2=x.vegfr2,
        vegfr3=x.vegfr3,
        kit=x.kit,
    )


HANSSON_GIST = OrganModel(
    name="hansson_gist",
    title="Gastrointestinal stromal tumour under sunitinib",
    version="1.1",
    clock="d",
    Parameters=Parameters,
    State=State,
    Inputs=Inputs,
    Outputs=Outputs,
    initial=initial,
    derivative=derivative,
    observe=observe,
    covariances={
        ("vegfr3_half_exposure", "kit_half_exposure"): 0.936,
        ("vegf_half_exposure", "vegfr2_half_exposure"): 0.198,
        ("vegf_half_exposure", "vegfr3_half_exposure"): 0.238,
        ("vegf_half_exposure", "kit_half_exposure"): 0.218,
        ("vegfr2_half_exposure", "vegfr3_half_exposure"): 0.252,
        ("vegfr2_half_exposure", "kit_half_exposure"): 0.297,
        # one effect that the three residence times share
        ("vegfr3_residence_time", "vegf_residence_time"): 0.0600,
        ("vegfr3_residence_time", "vegfr2_residence_time"): 0.0600,
        ("vegf_residence_time", "vegfr2_residence_time"): 0.0600,
    },
    residuals=(
        Residual("sum_of_diameters", HANSSON_2013, proportional=0.125),
        Residual("vegf", HANSSON_2013, proportional=0.445),
        Residual("vegfr2", HANSSON_2013, proportional=0.12, additive=583.0),
        Residual("vegfr3", HANSSON_2013, proportional=0.22),
        Residual("kit", HANSSON_2013, proportional=0.224),
    ),
    references=(HANSSON_2013,),
    notes="Target lesions only: no new lesions, so progression is underestimated; no survival model.",
    scenarios=scenarios("daily_exposure", EXPOSURE),
    checks=TUMOUR_CHECKS,
)
