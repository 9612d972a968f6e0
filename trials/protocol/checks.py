"""What must hold between the fields of a protocol.

A check names the fields that it reads. It runs when those fields could be read, also if another part of
the file could not, so that one reading of a file reports everything that is wrong with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from organ_models.units import UnitError
from trials.protocol import survival
from trials.protocol.amounts import check_unit, days
from trials.protocol.doses import Dose, RegimenDose, dose_unit
from trials.yaml_source import Position
from vht.quantities import quantity

if TYPE_CHECKING:
    from trials.protocol.schema import Protocol

_UNTIL_PROGRESSION = ("recist_progression_free_time", "recist_duration_of_response")
_RECIST = (*_UNTIL_PROGRESSION, "recist_best_response", "recist_disease_control")
_ON_DIAMETERS = (*_RECIST, survival.SURVIVAL)

Found = tuple[Position, str]
Check = Callable[["Protocol"], Iterator[Found]]

_CHECKS: list[tuple[frozenset[str], Check]] = []


def find_problems(protocol: Protocol, readable: Collection[str]) -> list[Found]:
    """Everything that does not fit together, as (position, message).

    Args:
        protocol: the protocol; fields that are not ``readable`` may be missing from it.
        readable: names of the top-level fields that could be read.
    """
    found: list[Found] = []
    for needs, check in _CHECKS:
        if needs <= set(readable):
            found.extend(check(protocol))
    return found


def _needs(*fields: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        _CHECKS.append((frozenset(fields), check))
        return check

    return register


def _choose(word: str, known: Iterable[str]) -> str:
    """`` did you mean 'x'?`` or the list of what there is."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "there is " + ", ".join(f"'{each}'" for each in known)


@_needs("population")
def _limits(p: Protocol) -> Iterator[Found]:
    who = p.population.eligibility
    at: Position = ("population", "eligibility")
    low, high = who.age.minimum, who.age.maximum
    if low is not None and high is not None and low.to("a") > high.to("a"):
        yield (*at, "age"), f"the minimum {low} is above the maximum {high}"
    for name, limits in who.ranges.items():
        unit = quantity(name).unit
        readable = []
        for side in ("minimum", "maximum"):
            amount = getattr(limits, side)
            if amount is None:
                continue
            if wrong := check_unit(amount, unit):
                yield (*at, "ranges", name, side), f"{wrong}, the unit of {name}"
            else:
                readable.append(amount.to(unit))
        if len(readable) == 2 and readable[0] > readable[1]:
            yield (*at, "ranges", name), f"the minimum {limits.minimum} is above the maximum {limits.maximum}"
    for name in who.conditions:
        if name in who.excluded_conditions:
            index = who.excluded_conditions.index(name)
            yield (*at, "excluded_conditions", index), f"'{name}' is both required and excluded"


@_needs("virtual_patient")
def _couplings(p: Protocol) -> Iterator[Found]:
    models = p.virtual_patient.models
    driven: dict[str, int] = {}
    for i, model in enumerate(models):
        if model in models[:i]:
            yield ("virtual_patient", "models", i), f"'{model}' stands twice"
    for i, link in enumerate(p.virtual_patient.couplings):
        at: Position = ("virtual_patient", "couplings", i)
        ports = {"from": link.source, "to": link.target, "solve": link.solve, "with": link.follow}
        for field, port in ports.items():
            if port is not None and (model := _model(port)) not in models:
                yield (*at, field), f"'{model}' is not among the models; {_choose(model, models)}"
        if link.follow is not None and link.solve is None:
            yield (*at, "with"), "'with' follows what is solved for; it needs 'solve'"
        if link.relative and link.solve is None:
            message = "'relative' is a share of the untreated cycle that is solved for; it needs 'solve'"
            yield (*at, "relative"), message
        for field in ("solve", "with"):
            port = ports[field]
            if port is not None and _model(port) != _model(link.target):
                yield (*at, field), f"must be an input of '{_model(link.target)}', whose output is in 'to'"
        fields = ("to",) if link.solve is None else ("solve", "with")
        for field in fields:
            port = ports[field]
            if port is None:
                continue
            if port in driven:
                yield (*at, field), f"'{port}' is already driven by coupling {driven[port]}"
            else:
                driven[port] = i


@_needs("arms")
def _arm_names(p: Protocol) -> Iterator[Found]:
    names = [arm.name for arm in p.arms]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield ("arms", i, "name"), f"two arms are called '{name}'; give each arm its own name"


@_needs("arms", "reference_arm")
def _reference_arm(p: Protocol) -> Iterator[Found]:
    names = [arm.name for arm in p.arms]
    if p.reference_arm not in names:
        yield ("reference_arm",), f"no arm is called '{p.reference_arm}'; {_choose(p.reference_arm, names)}"


@_needs("arms", "virtual_patient")
def _doses(p: Protocol) -> Iterator[Found]:
    driven = {link.target for link in p.virtual_patient.couplings if link.solve is None}
    driven |= {port for link in p.virtual_patient.couplings for port in (link.solve, link.follow) if port}
    models = p.virtual_patient.models
    units: dict[str, str] = {}
    for i, arm in enumerate(p.arms):
        for port, dose in arm.doses.items():
            at: Position = ("arms", i, "doses", port)
            if (model := _model(port)) not in models:
                yield at, f"'{model}' is not among the models; {_choose(model, models)}"
            if port in driven:
                yield at, f"'{port}' is driven by a coupling and cannot be dosed as well"
            if (dose.on is None) != (dose.off is None):
                yield at, "'on' and 'off' go together: days with the amount, then days without"
            for field, message in _regimen(dose) if isinstance(dose, RegimenDose) else _daily(dose):
                yield (*at, *field), message
            if isinstance(dose, Dose) and (
                wrong := check_unit(dose.amount, units.setdefault(port, dose.amount.unit))
            ):
                yield (*at, "amount"), f"{wrong}, the unit that another arm gives for this port"


def _daily(dose: Dose) -> Iterator[Found]:
    for field in ("cycles", "missed"):
        if getattr(dose, field) is not None and (dose.on is None or dose.off is None):
            yield (field,), f"'{field}' counts cycles; give 'on' and 'off', the days of one"
    for k, number in enumerate(dose.missed or ()):
        if dose.cycles is not None and number > dose.cycles:
            yield ("missed", k), f"there is no cycle {number} among {dose.cycles}"
    if dose.amount.value < 0:
        yield ("amount",), "an amount given cannot be negative"


def _regimen(dose: RegimenDose) -> Iterator[Found]:
    size = dose.size
    for field in ("amount", "loading"):
        amount = getattr(dose, field)
        if amount is None:
            continue
        if dose_unit(amount) is None:
            yield (field,), f"'{amount}' is no dose; write it in mg, mg/m2 or mg/kg"
        elif not amount.value > 0:
            yield (field,), "an administration gives more than nothing; to leave one out, name it in 'missed'"
        elif size is not None and dose_unit(amount) != size:
            yield (field,), f"is in {amount.unit}, but 'amount' is in {dose.amount.unit}"
    if (dose.route == "infusion") != (dose.infused_over is not None):
        yield ("infused_over",), "how long an infusion runs; an infusion needs it and nothing else takes it"
    if dose.surface_cap is not None and size != "mg/m2":
        yield ("surface_cap",), "only an amount by body surface (mg/m2) takes it"
    if dose.on is not None and days(dose.every) > days(dose.on):
        message = (
            "longer than 'on': there is one dose a cycle; write the length of the cycle and no 'on', 'off'"
        )
        yield ("every",), message
    for k, number in enumerate(dose.missed or ()):
        if dose.on is None and dose.cycles is not None and number > dose.cycles:
            yield ("missed", k), f"there is no administration {number} among {dose.cycles}"


@_needs("arms", "duration")
def _starts(p: Protocol) -> Iterator[Found]:
    for i, arm in enumerate(p.arms):
        for port, dose in arm.doses.items():
            start = dose.start if isinstance(dose, RegimenDose) else None
            if start is not None and days(start) >= p.duration_days:
                message = f"{start} is not before the end of the trial ({p.duration})"
                yield ("arms", i, "doses", port, "start"), message


@_needs("arms", "virtual_patient")
def _variants(p: Protocol) -> Iterator[Found]:
    places: list[tuple[Position, Any]] = [(("virtual_patient",), p.virtual_patient.variants)]
    places += [(("arms", i), arm.variants) for i, arm in enumerate(p.arms)]
    models = p.virtual_patient.models
    for at, variants in places:
        for model in variants or ():
            if model not in models:
                yield (*at, "variants", model), f"'{model}' is not among the models; {_choose(model, models)}"


@_needs("arms", "visits")
def _policies(p: Protocol) -> Iterator[Found]:
    for i, arm in enumerate(p.arms):
        for k, policy in enumerate(arm.policies):
            at: Position = ("arms", i, "policies", k)
            if not arm.doses:
                yield at, "this arm gives nothing that a policy could change; give it 'doses'"
            if policy.quantity not in p.visits:
                message = (
                    f"'{policy.quantity}' has no visits to decide on; {_choose(policy.quantity, p.visits)}"
                )
                yield (*at, "quantity"), message
            for n, port in enumerate(policy.of):
                if arm.doses and port not in arm.doses:
                    yield (*at, "of", n), f"'{port}' is not dosed in this arm; {_choose(port, arm.doses)}"
            unit = quantity(policy.quantity).unit
            wrong = {name: check_unit(amount, unit) for name, amount in policy.thresholds.items()}
            if policy.kind == "stop_on_progression" and unit != "mm":
                message = f"RECIST needs a sum of diameters in mm; {policy.quantity} is in '{unit}'"
                yield (*at, "quantity"), message
            elif any(wrong.values()):
                for name, text in wrong.items():
                    if text:
                        yield (*at, name), f"{text}, the unit of {policy.quantity}"
            else:
                try:
                    policy.rule()
                except (ValueError, UnitError) as error:
                    yield at, str(error)


@_needs("arms", "new_lesions")
def _new_lesions(p: Protocol) -> Iterator[Found]:
    names = [arm.name for arm in p.arms]
    for name in p.new_lesions.arms if p.new_lesions else ():
        if name not in names:
            yield ("new_lesions", "arms", name), f"no arm is called '{name}'; {_choose(name, names)}"


@_needs("endpoints", "new_lesions")
def _new_lesions_stated(p: Protocol) -> Iterator[Found]:
    for i, endpoint in enumerate(p.endpoints):
        if endpoint.kind in _UNTIL_PROGRESSION and p.new_lesions is None:
            yield (
                ("endpoints", i, "kind"),
                "time to progression needs the field 'new_lesions', the hazard of a new lesion with its "
                "source, as in {hazard: 0.01 /wk, source: A paper.}; without, progression comes too late",
            )


@_needs("duration", "reporting_interval")
def _reporting(p: Protocol) -> Iterator[Found]:
    if days(p.reporting_interval) > p.duration_days:
        yield ("reporting_interval",), f"{p.reporting_interval} is longer than the trial ({p.duration})"


@_needs("duration", "visits")
def _visits(p: Protocol) -> Iterator[Found]:
    for name, plan in p.visits.items():
        at: Position = ("visits", name)
        if plan.every is None and not plan.days:
            yield at, "needs 'every' or 'days'"
        if plan.every is not None and days(plan.every) > p.duration_days:
            yield (*at, "every"), f"{plan.every} is longer than the trial ({p.duration})"
        for i, day in enumerate(plan.days):
            if days(day) > p.duration_days:
                yield (*at, "days", i), f"day {days(day):g} is after the end of the trial ({p.duration})"


@_needs("measurement_error", "visits")
def _errors(p: Protocol) -> Iterator[Found]:
    for name, error in p.measurement_error.items():
        at: Position = ("measurement_error", name)
        if name not in p.visits:
            yield at, f"'{name}' has no visits, so it is never measured; {_choose(name, p.visits)}"
        if error.additive is None and error.proportional is None:
            yield at, "needs 'additive' or 'proportional'"
        if error.additive is not None:
            if wrong := check_unit(error.additive, quantity(name).unit):
                yield (*at, "additive"), f"{wrong}, the unit of {name}"
            elif error.additive.value < 0:
                yield (*at, "additive"), "a standard deviation cannot be negative"


@_needs("endpoints")
def _endpoint_names(p: Protocol) -> Iterator[Found]:
    names = [endpoint.name for endpoint in p.endpoints]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield ("endpoints", i, "name"), f"two endpoints are called '{name}'"


@_needs("endpoints")
def _endpoint_units(p: Protocol) -> Iterator[Found]:
    endpoints: tuple[Any, ...] = p.endpoints
    for i, endpoint in enumerate(endpoints):
        if endpoint.kind in _ON_DIAMETERS:
            unit = quantity(endpoint.quantity).unit
            if unit != "mm":
                what = "RECIST" if endpoint.kind in _RECIST else "a survival link"
                message = f"{what} needs a sum of diameters in mm; {endpoint.quantity} is in '{unit}'"
                yield ("endpoints", i, "quantity"), message
        elif endpoint.kind == "ever_at_or_above" or endpoint.kind == "ever_below":
            for name, amount in endpoint.thresholds.items():
                if wrong := check_unit(amount, quantity(name).unit):
                    yield ("endpoints", i, "thresholds", name), f"{wrong}, the unit of {name}"


@_needs("endpoints", "arms")
def _survival_links(p: Protocol) -> Iterator[Found]:
    yield from survival.covariate_problems(p)


@_needs("endpoints", "visits", "duration")
def _survival_visits(p: Protocol) -> Iterator[Found]:
    yield from survival.visit_problems(p)


@_needs("endpoints", "visits", "duration")
def _endpoint_visits(p: Protocol) -> Iterator[Found]:
    for i, endpoint in enumerate(p.endpoints):
        at: Position = ("endpoints", i)
        if endpoint.kind == "ever_at_or_above" or endpoint.kind == "ever_below":
            for name in endpoint.thresholds:
                if name not in p.visits:
                    yield (*at, "thresholds", name), f"'{name}' has no visits; {_choose(name, p.visits)}"
            continue
        if endpoint.quantity not in p.visits:
            message = f"'{endpoint.quantity}' has no visits; {_choose(endpoint.quantity, p.visits)}"
            yield (*at, "quantity"), message
        elif endpoint.kind == "change_from_baseline":
            planned = [day for day in p.visit_days(endpoint.quantity) if 0 < day <= p.duration_days]
            if days(endpoint.day) not in planned:
                listed = ", ".join(f"{day:g}" for day in planned) or "none"
                yield (
                    (*at, "day"),
                    f"day {days(endpoint.day):g} is not a visit of {endpoint.quantity} (days {listed})",
                )


def _model(port: str) -> str:
    return port.partition(".")[0]
