"""Every model of the catalogue keeps the contract."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from organ_models import OrganModel, catalogue, model
from organ_models.catalogue import UnknownModel
from organ_models.model import fields, parameter, values
from organ_models.references import BENZEKRY_2014
from organ_models.scenarios import in_variant
from organ_models.units import conversion
from organ_models.variability import lower_factor
from vht.quantities import quantity

MODELS = list(catalogue().values())


def record(kind: type, n: int, seed: int) -> object:
    luck = np.random.default_rng(seed)
    made = {
        name: jnp.asarray((f.default if f.default is not None else 1.0) * luck.uniform(0.9, 1.1, n))
        for name, f in fields(kind).items()
    }
    return kind(**made)


def start(m: OrganModel, p: object) -> object:
    return m.initial(m.working(p))


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_every_field_has_a_readable_unit_and_a_meaning(m: OrganModel) -> None:
    for kind in (m.Parameters, m.State, m.Inputs, m.Signals, m.Outputs):
        for name, f in fields(kind).items():
            assert f.doc, name
            conversion(f.unit, f.working_unit or f.unit)


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_every_parameter_has_a_source_and_a_default_within_bounds(m: OrganModel) -> None:
    assert m.references
    assert m.version
    for name, f in fields(m.Parameters).items():
        assert f.source is not None, name
        assert f.source.text, name
        assert isinstance(f.default, float), name
        assert f.bounds[0] <= f.default <= f.bounds[1], name
        assert f.certainty in ("verified", "derived", "assumption"), name


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_functions_are_elementwise_and_branch_free(m: OrganModel) -> None:
    p, u = record(m.Parameters, 5, 1), record(m.Inputs, 5, 2)
    w = m.working(p)
    x = start(m, p)
    drive = m.cycle.drive(jnp.full(5, 0.1), w, u) if m.cycle else 3.0
    for function in (m.derivative, m.observe):
        text = str(jax.make_jaxpr(lambda *a, f=function: f(*a))(drive, x, w, u))
        assert "cond[" not in text
        assert "while[" not in text
        whole = function(drive, x, w, u)
        for lane in range(5):
            alone = function(
                *(
                    jax.tree.map(lambda a, i=lane: a[i] if jnp.ndim(a) else a, part)
                    for part in (drive, x, w, u)
                )
            )
            for name, value in values(whole).items():
                np.testing.assert_allclose(value[lane], values(alone)[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("m", [m for m in MODELS if m.solution is not None], ids=lambda m: m.name)
def test_closed_form_solves_the_equations(m: OrganModel) -> None:
    p, u = m.working(record(m.Parameters, 5, 1)), record(m.Inputs, 5, 2)
    x = jax.tree.map(lambda a: a * 1.3, m.initial(p))
    assert m.solution is not None
    rate = jax.jvp(lambda t: m.solution(t, x, p, u), (jnp.array(2.0),), (jnp.array(1.0),))[1]
    expected = m.derivative(2.0, m.solution(jnp.array(2.0), x, p, u), p, u)
    for name, value in values(expected).items():
        np.testing.assert_allclose(values(rate)[name], value, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_random_effects_have_a_valid_covariance(m: OrganModel) -> None:
    for names, matrix in m.random_effects():
        assert len(names) == len(matrix)
        lower = lower_factor(np.array(matrix))
        np.testing.assert_allclose(lower @ lower.T, matrix, atol=1e-9 * np.max(matrix))
    effects = {name: f.effect for name, f in fields(m.Parameters).items()}
    assert {name for pair in m.covariances for name in pair} <= set(effects)
    for name, f in fields(m.Parameters).items():
        assert f.omega2 >= 0, name
        assert f.effect != "log-normal" or f.omega2 == 0 or f.default > 0, name
        assert f.effect != "logit-normal" or 0 < f.default < 1, name


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_clinical_quantities_are_in_their_own_unit(m: OrganModel) -> None:
    """Records set parameters, and trials read outputs, as they are."""
    for kind in (m.Parameters, m.Outputs):
        for name, f in fields(kind).items():
            if f.quantity is not None:
                found = conversion(f.unit, quantity(f.quantity).unit)
                assert (found.factor, found.offset) == (1.0, 0.0), name


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_residual_errors_are_those_of_outputs(m: OrganModel) -> None:
    assert {r.output for r in m.residuals} <= set(fields(m.Outputs))
    assert len({(r.output, r.study) for r in m.residuals}) == len(m.residuals)


@pytest.mark.parametrize("m", [m for m in MODELS if m.variants], ids=lambda m: m.name)
def test_a_variant_is_a_model_to_compose(m: OrganModel) -> None:
    for variant in m.variants:
        made = in_variant(m, variant.name)
        declared = fields(made.Parameters)
        assert list(declared) == list(fields(m.Parameters))
        for name, f in fields(m.Parameters).items():
            assert declared[name].default == variant.parameters.get(name, f.default)
            assert declared[name].omega2 == variant.variances.get(name, f.omega2)
        assert values(made.Parameters()) == {name: f.default for name, f in declared.items()}
        assert in_variant(m, variant.name) is made
        assert set(variant.variances) <= set(declared)
    with pytest.raises(ValueError, match=m.variants[0].name):
        in_variant(m, "none of them")


def test_published_rates_are_put_on_the_models_clock_once() -> None:
    tumour = model("hansson_gist")
    working = tumour.working(tumour.Parameters())
    assert working.growth_rate == pytest.approx(0.0118 / 7)
    assert working.vegfr3_residence_time == pytest.approx(401 / 24)
    assert working.exposure_kill == pytest.approx(0.00503 / 7)


def test_an_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(UnknownModel, match="did you mean 'hansson_gist'"):
        model("hanson_gist")


def test_physiology_is_in_float64() -> None:
    assert jnp.zeros(1).dtype == jnp.float64


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_every_parameters_source_is_among_the_references(m: OrganModel) -> None:
    listed = {reference.key for reference in m.references}
    assert {f.source.key for f in fields(m.Parameters).values() if f.source} <= listed


def test_a_value_that_no_source_confirms_cannot_be_a_default() -> None:
    with pytest.raises(ValueError, match="'unverified' is no certainty of a default"):
        parameter(0.2, "/d", "rate", source=BENZEKRY_2014, bounds=(0, 1), certainty="unverified")


UNCONFIRMED = {
    "power law of lung tumours, as quoted for Benzekry 2014": {0.921, 0.788},
    "its measurement error": {0.21, 0.84, 83.0},
    "Hahnfeldt 1999, lung": {0.192, 5.85, 0.00873},
    "Claret 2009, colorectal": {0.021, 0.025, 0.053},
    "Rockne, glioma": {0.036, 10.0},
    "Hansson 2013, hazard of death": {0.00596, 1.226},
    "Khosravan 2016": {14.3, 2.67e-4, 30.5},
    "erlotinib": {4.47, 232.0},
    "erlotinib, Lu 2006": {3.95, 233.0, 0.949},
    "gefitinib": {24.9, 1120.0},
}
"""Parameter sets that circulate and that no source was found for."""


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_sets_of_parameters_that_no_source_confirms_are_in_no_model(m: OrganModel) -> None:
    default = {f.default for f in fields(m.Parameters).values()}
    sets = [default, *({*default, *v.parameters.values()} for v in m.variants)]
    for told, unconfirmed in UNCONFIRMED.items():
        assert not any(unconfirmed <= s for s in sets), told


@pytest.mark.parametrize("m", MODELS, ids=lambda m: m.name)
def test_notes_do_not_hide_residual_errors(m: OrganModel) -> None:
    """An error in words alone is used by nobody."""
    assert not re.search(r"residual error[^.]*\d", m.notes)
