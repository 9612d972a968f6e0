"""Growth laws: limits in value and derivative, both Gompertz forms, and fits to published mice."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import vht
from organ_models import model
from organ_models.model import fields
from organ_models.oncology.growth import relative_exponential, relative_logarithm
from vht.validation.mouse_fits import LAWS, MouseFits, fit_mice

CLOSED = (
    "exponential_growth",
    "logistic_growth",
    "generalised_logistic_growth",
    "gompertz",
    "gompertz_capacity",
    "power_law_growth",
    "von_bertalanffy_growth",
)


def volume(name: str, time: Any, kill: float = 0.0, **parameters: Any) -> jax.Array:
    """Volume by the closed form, mm3."""
    law = model(name)
    p = law.Parameters(
        **{k: jnp.asarray(float(f.default)) for k, f in fields(law.Parameters).items()} | parameters
    )
    assert law.solution is not None
    return jnp.exp(law.solution(jnp.asarray(time), law.initial(p), p, law.Inputs(kill_rate=kill)).log_volume)


def equation(name: str) -> Callable[..., float]:
    """The published differential equations of the volume, written again."""
    return {
        "exponential_growth": lambda v, p: p["growth_rate"] * v,
        "logistic_growth": lambda v, p: p["growth_rate"] * v * (1 - v / p["carrying_capacity"]),
        "generalised_logistic_growth": lambda v, p: (
            p["settling_rate"] / p["exponent"] * v * (1 - (v / p["carrying_capacity"]) ** p["exponent"])
        ),
        "gompertz_capacity": lambda v, p: p["growth_rate_decay"] * v * np.log(p["carrying_capacity"] / v),
        "power_law_growth": lambda v, p: p["growth_rate"] * v ** p["exponent"],
        "von_bertalanffy_growth": lambda v, p: p["growth_rate"] * v ** p["exponent"] - p["loss_rate"] * v,
        "exponential_linear_growth": lambda w, p: (
            p["exponential_rate"] * w / (1 + (p["exponential_rate"] * w / p["linear_rate"]) ** 20) ** (1 / 20)
        ),
        "koch_growth": lambda w, p: (
            2
            * p["half_exponential_rate"]
            * p["linear_rate"]
            * w
            / (p["linear_rate"] + 2 * p["half_exponential_rate"] * w)
        ),
    }[name]


@pytest.mark.parametrize(
    "name", [n for n in (*CLOSED, "exponential_linear_growth", "koch_growth") if n != "gompertz"]
)
@pytest.mark.parametrize("kill", [0.0, 0.2])
def test_a_law_is_its_published_equation(name: str, kill: float) -> None:
    """LSODA at 1e-10 on the equations of the volume; a kill rate takes kill * V off."""
    law = model(name)
    p = {k: float(f.default) for k, f in fields(law.Parameters).items()}
    start = p[next(k for k in p if k.startswith("initial"))]
    truth = solve_ivp(
        lambda t, v: equation(name)(v, p) - kill * v,
        (0, 20),
        [start],
        "LSODA",
        t_eval=[5, 20],
        rtol=1e-10,
        atol=1e-12,
    ).y[0]
    course = vht.simulate(vht.VirtualPatient([law]), doses={f"{name}.kill_rate": kill}, days=[5, 20])
    port = next(iter(fields(law.Outputs)))
    np.testing.assert_allclose(course.outputs[f"{name}.{port}"][:, 0], truth, rtol=2e-6)


def test_gompertz_by_time_is_gompertz_by_capacity() -> None:
    """V' = a exp(-b t) V has K = V(0) exp(a/b): 11864.58 mm3 for the medians (oncology reference, 12.2)."""
    capacity = fields(model("gompertz_capacity").Parameters)["carrying_capacity"].default
    assert capacity == pytest.approx(11864.584286672, rel=1e-6)
    days = np.linspace(0, 60, 13)
    by_time = np.exp(0.743 / 0.0792 * (1 - np.exp(-0.0792 * days)))
    np.testing.assert_allclose(volume("gompertz", days), by_time, rtol=1e-12)
    np.testing.assert_allclose(volume("gompertz_capacity", days), by_time, rtol=1e-12)
    capacity = np.exp(0.9 / 0.05) * 20.0
    np.testing.assert_allclose(
        volume("gompertz", days, initial_volume=20.0, initial_growth_rate=0.9, growth_rate_decay=0.05),
        volume(
            "gompertz_capacity", days, initial_volume=20.0, carrying_capacity=capacity, growth_rate_decay=0.05
        ),
        rtol=1e-12,
    )


@pytest.mark.parametrize("variant", ["gompertz", "gompertz_capacity"])
def test_the_breast_tumour_ends_at_its_capacity(variant: str) -> None:
    """Vaghi 2020: initial rate 0.58 /d, K 2600 mm3."""
    late = vht.run_model(variant, variant="breast", day=1000).outputs["tumour_volume"].value
    assert late == pytest.approx(2600, rel=1e-9)
    first = vht.run_model(variant, variant="breast", day=1).outputs["tumour_volume"].value
    assert np.exp(0.5) < first < np.exp(0.58)


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-9, 1e-6, 1e-3])
def test_power_and_bertalanffy_laws_become_exponential_as_g_goes_to_1(gap: float) -> None:
    """exp(a t) and exp((a - b) t); the difference is of the order of 1 - g."""
    power = volume("power_law_growth", 5.0, growth_rate=0.7, exponent=1 - gap)
    bertalanffy = volume("von_bertalanffy_growth", 5.0, growth_rate=0.9, loss_rate=0.2, exponent=1 - gap)
    assert power == pytest.approx(np.exp(3.5), rel=1e-12 + 10 * gap)
    assert bertalanffy == pytest.approx(np.exp(3.5), rel=1e-12 + 10 * gap)


@pytest.mark.parametrize("exponent", [0.0, 1e-9, 1e-6])
def test_the_generalised_logistic_law_becomes_gompertz_as_n_goes_to_0(exponent: float) -> None:
    generalised = volume(
        "generalised_logistic_growth",
        15.0,
        settling_rate=0.0792,
        carrying_capacity=11864.584286672,
        exponent=exponent,
    )
    assert generalised == pytest.approx(679.66803165, rel=1e-9 + 100 * exponent)


@pytest.mark.parametrize(
    ("name", "wrt", "at"),
    [
        ("power_law_growth", "exponent", 1.0),
        ("power_law_growth", "exponent", 0.8),
        ("von_bertalanffy_growth", "exponent", 1.0),
        ("von_bertalanffy_growth", "loss_rate", 0.0),
        ("generalised_logistic_growth", "exponent", 0.0),
        ("generalised_logistic_growth", "exponent", 1.0),
    ],
)
def test_derivatives_are_finite_and_right_at_the_limits(name: str, wrt: str, at: float) -> None:
    """Against one-sided differences of third order, which use points on the regular side only."""

    def of(value: Any) -> Any:
        return jnp.log(volume(name, 4.0, **{wrt: value}))

    side = 1.0 if at == 0.0 else -1.0
    h = side * 2e-3
    f = [float(of(at + k * h)) for k in range(5)]
    sided = (-25 * f[0] + 48 * f[1] - 36 * f[2] + 16 * f[3] - 3 * f[4]) / (12 * h)
    forward = float(jax.jvp(of, (jnp.array(at),), (jnp.array(1.0),))[1])
    reverse = float(jax.grad(of)(at))
    assert np.isfinite(forward)
    assert forward == pytest.approx(reverse, rel=1e-12)
    assert forward == pytest.approx(sided, rel=1e-6)


def test_the_two_quotients_are_smooth_through_zero() -> None:
    """Against 50 decimal digits: at the seam between series and formula no digit is lost."""
    with localcontext() as context:
        context.prec = 50
        for x in (
            -0.9,
            -0.5001,
            -0.4999,
            -0.01001,
            -0.00999,
            -1e-9,
            1e-15,
            0.00999,
            0.01001,
            0.4999,
            0.5001,
            3.0,
        ):
            exact = Decimal(x)
            exponential, logarithm = (exact.exp() - 1) / exact, (1 + exact).ln() / exact
            assert float(relative_exponential(jnp.array(x))) == pytest.approx(float(exponential), rel=7e-16)
            assert float(relative_logarithm(jnp.array(x))) == pytest.approx(float(logarithm), rel=7e-16)
    assert relative_exponential(jnp.array(0.0)) == 1.0
    assert relative_logarithm(jnp.array(0.0)) == 1.0


def test_the_exponent_of_the_classic_bertalanffy_law_is_two_thirds() -> None:
    """V^(2/3), not V^2/3, which a public program writes: at a 1/d, b 0.1/d, 13.50957656 mm3 after 5 days
    (oncology reference, sections 12.2 and 19)."""
    mine = volume("von_bertalanffy_growth", 5.0, growth_rate=1.0, loss_rate=0.1, exponent=2 / 3)
    assert mine == pytest.approx(13.50957656, rel=1e-6)
    wrong = solve_ivp(lambda t, v: v**2 / 3 - 0.1 * v, (0, 5), [1.0], rtol=1e-8).y[0, -1]
    assert abs(wrong / mine - 1) > 0.5


def test_a_growth_law_takes_a_kill_that_would_leave_nothing() -> None:
    for name in CLOSED:
        assert np.isfinite(float(jnp.log(volume(name, 0.5, kill=50.0)))), name
        gone = vht.run_model(name, settings={"kill_rate": 50.0}, day=100).outputs["tumour_volume"].value
        assert 0 <= gone < 1e-6, name


# -- fits to published mice -----------------------------------------------------------------------------


FITS = {
    "exponential V0=1": ("exponential from 1 mm3", {"a": "growth_rate"}),
    "exponential V0 free": ("exponential", {"a": "growth_rate", "lnV0": "initial_volume"}),
    "Gompertz V0=1": ("Gompertz", {"a": "initial_growth_rate", "b": "growth_rate_decay"}),
    "logistic V0=1": ("logistic", {"a": "growth_rate", "K": "carrying_capacity"}),
    "power law V0=1": ("power law", {"a": "growth_rate", "g": "exponent"}),
}
"""How the regression values name them, and the symbols of their parameters."""


@pytest.fixture(scope="module")
def mouse_fits(shared_data: Path) -> dict[tuple[str, str], MouseFits]:
    out = {}
    for site in ("lung", "breast"):
        animals = pd.read_csv(shared_data / "oncology" / "vaghi_benzekry" / f"{site}_volume.csv")
        for label, (law, _) in FITS.items():
            out[site, label] = fit_mice(animals, law)
            assert out[site, label].fit.converged.all()
    return out


def test_fits_to_mice_give_the_regression_values(shared_data: Path, mouse_fits: dict[Any, Any]) -> None:
    """oncology/reference_values.csv, model mouse_growth_fit, at the tolerances given there."""
    table = pd.read_csv(shared_data / "oncology" / "reference_values.csv")
    rows = table[table["model"] == "mouse_growth_fit"]
    for row in rows.itertuples():
        what, _, statistic = row.quantity.partition(": ")
        site = what.partition(" ")[0]
        label = what.rpartition(", ")[2]
        found = mouse_fits[site, label]
        if statistic == "sum of AIC":
            mine = found.criterion
        elif statistic == "median R2":
            mine = found.explained
        else:
            symbol = statistic.removeprefix("median ")
            mine = found.medians[FITS[label][1][symbol]]
            mine = np.log(mine) if symbol == "lnV0" else mine
        kind, size = row.tolerance.split()
        assert mine == pytest.approx(float(row.value), **{kind: float(size)}), row.quantity
    assert len(rows) == 38


def test_the_ranking_of_the_laws_is_reproduced(mouse_fits: dict[Any, Any]) -> None:
    """Benzekry 2014: Gompertz and the power law are best for lung, the exponential from 1 mm3 worst."""
    for site in ("lung", "breast"):
        ranked = sorted(FITS, key=lambda label: mouse_fits[site, label].criterion)
        assert set(ranked[:2]) == {"Gompertz V0=1", "power law V0=1"}
        assert ranked[-1] == "exponential V0=1"


def test_medians_of_lung_tumours_are_near_the_published_ones(mouse_fits: dict[Any, Any]) -> None:
    """Within 15 % of Benzekry's medians of all 20 animals: Gompertz 0.743, 0.0792; logistic 0.502, 1297."""
    gompertz, logistic = (mouse_fits["lung", label].medians for label in ("Gompertz V0=1", "logistic V0=1"))
    assert gompertz["initial_growth_rate"] == pytest.approx(0.743, rel=0.15)
    assert gompertz["growth_rate_decay"] == pytest.approx(0.0792, rel=0.15)
    assert logistic["growth_rate"] == pytest.approx(0.502, rel=0.15)
    assert logistic["carrying_capacity"] == pytest.approx(1297, rel=0.15)


def test_derived_defaults_are_the_fits_they_claim_to_be(
    shared_data: Path, mouse_fits: dict[Any, Any]
) -> None:
    """Exponential and power law from the regression values; von Bertalanffy's a and b given g = 0.947."""
    for label in ("exponential V0=1", "power law V0=1"):
        law, symbols = FITS[label]
        declared = fields(model(LAWS[law][0]).Parameters)
        for parameter in symbols.values():
            assert declared[parameter].certainty == "derived"
            assert declared[parameter].default == pytest.approx(
                mouse_fits["lung", label].medians[parameter], rel=2e-4
            )
    animals = pd.read_csv(shared_data / "oncology" / "vaghi_benzekry" / "lung_volume.csv")
    bertalanffy = fit_mice(animals, "von_bertalanffy_growth", ("growth_rate", "loss_rate"))
    declared = fields(model("von_bertalanffy_growth").Parameters)
    for parameter, median in bertalanffy.medians.items():
        assert declared[parameter].default == pytest.approx(median, rel=2e-4)
    assert bertalanffy.criterion == pytest.approx(mouse_fits["lung", "Gompertz V0=1"].criterion, abs=2)
