"""From a protocol's words to composed virtual patients, with the protocol's line in every error."""

from __future__ import annotations

from organ_models.catalogue import UnknownModel
from organ_models.catalogue import model as catalogue_model
from organ_models.model import NoFields, OrganModel, fields
from organ_models.pharmacology.ingredients import INGREDIENTS
from organ_models.scenarios import DEFAULT_VARIANT, in_variant
from organ_models.units import UnitError, conversion
from trials.protocol import Arm, Dose, Protocol, RegimenDose
from vht.course import dose_ports, event_ports
from vht.patient import CompositionError, Coupling, VirtualPatient


def compose(protocol: Protocol, arm: Arm | None = None) -> VirtualPatient:
    """The virtual patient that a protocol declares; of an arm, with that arm's variants.

    Raises:
        ProtocolError: an unknown model or variant, a port that a model lacks, units that cannot be converted,
            a loop, a dose at a port that takes none or not so, or a measured quantity that no model shows;
            with the line.
    """
    section = protocol.virtual_patient
    models = [_model(protocol, arm, index, name) for index, name in enumerate(section.models)]
    couplings = [Coupling(c.source, c.target, c.solve, c.follow, bool(c.relative)) for c in section.couplings]
    try:
        patient = VirtualPatient(models, couplings)
    except CompositionError as error:
        at = error.index
        position: tuple[str | int, ...] = ("virtual_patient", "couplings")
        raise protocol.error_at(position if at is None else (*position, at), str(error)) from None
    for name in protocol.measured_quantities:
        if patient.output_of(name) is None:
            message = f"no model of this virtual patient shows '{name}'"
            raise protocol.error_at(("visits", name), message)
    for index, each in enumerate(protocol.arms):
        _check_doses(protocol, patient, index, each)
    dosed = {port for each in protocol.arms for port in each.doses}
    for port in dose_ports(patient):
        if port not in dosed and port not in event_ports(patient):  # what may happen need not
            index = section.models.index(port.partition(".")[0])
            message = f"nothing drives {port}: couple an output to it, or dose it in an arm"
            raise protocol.error_at(("virtual_patient", "models", index), message)
    return patient


def compose_arms(protocol: Protocol) -> dict[str, VirtualPatient]:
    """The virtual patient of every arm, by its name; one and the same where arms take the same variants.

    Raises:
        ProtocolError: as :func:`compose`.
    """
    made: dict[tuple[str, ...], VirtualPatient] = {}
    found = {}
    for arm in protocol.arms:
        taken = tuple(variant_of(protocol, arm, name) for name in protocol.virtual_patient.models)
        if taken not in made:
            made[taken] = compose(protocol, arm)
        found[arm.name] = made[taken]
    return found


def variant_of(protocol: Protocol, arm: Arm | None, model: str) -> str:
    """The parameter set that a model takes in an arm, or without one."""
    whole = (protocol.virtual_patient.variants or {}).get(model, DEFAULT_VARIANT)
    return whole if arm is None else (arm.variants or {}).get(model, whole)


def port_unit(patient: VirtualPatient, port: str) -> str:
    """The unit of a port that takes doses."""
    return patient.port(port, "Events" if port in event_ports(patient) else "Inputs").unit


# ---------------------------------------------------------------------------------------------------


def _model(protocol: Protocol, arm: Arm | None, index: int, name: str) -> OrganModel:
    try:
        found = catalogue_model(name)
    except UnknownModel as error:
        raise protocol.error_at(("virtual_patient", "models", index), str(error)) from None
    places: list[tuple[tuple[str | int, ...], dict[str, str] | None]] = [
        (("virtual_patient", "variants", name), protocol.virtual_patient.variants)
    ]
    places += [(("arms", k, "variants", name), each.variants) for k, each in enumerate(protocol.arms)]
    for position, variants in places:
        wanted = (variants or {}).get(name, DEFAULT_VARIANT)
        if position[0] == "arms" and variants and name in variants and found.clock != "d":
            message = (
                f"{name} does not run on days, so that arms share its variant; name it in 'virtual_patient'"
            )
            raise protocol.error_at(position, message)
        try:
            in_variant(found, wanted)
        except ValueError as error:
            raise protocol.error_at(position, str(error)) from None
    return in_variant(found, variant_of(protocol, arm, name))


def _check_doses(protocol: Protocol, patient: VirtualPatient, index: int, arm: Arm) -> None:
    for port, dose in arm.doses.items():
        position = ("arms", index, "doses", port)
        try:
            unit = port_unit(patient, port)
        except CompositionError as error:
            raise protocol.error_at(position, str(error)) from None
        if port not in dose_ports(patient):
            message = f"doses cannot be given at {port}; they can at {', '.join(dose_ports(patient))}"
            raise protocol.error_at(position, message)
        if isinstance(dose, Dose):
            given, field = dose.amount.unit, "amount"
        else:
            wrong = _misplaced(patient, port, dose)
            if wrong is not None:
                raise protocol.error_at((*position, wrong[0]), wrong[1])
            given, field = ("mg" if port in event_ports(patient) else "mg/h"), "route"
        try:
            conversion(given, unit)
        except UnitError as error:
            raise protocol.error_at((*position, field), str(error)) from None


def _misplaced(patient: VirtualPatient, port: str, dose: RegimenDose) -> tuple[str, str] | None:
    """Why a regimen cannot be given at a port: the field that is at fault, and the remedy."""
    model, _, name = port.partition(".")
    if model in INGREDIENTS:
        try:
            wanted = dose.regimen().port_of(model)
        except ValueError as error:
            return ("drug" if INGREDIENTS[model] != dose.drug else "route"), str(error)
        if name != wanted:
            return "route", f"by this route {dose.drug} is given at {model}.{wanted}"
    others = [drug for drug in sorted({*INGREDIENTS.values()} - {dose.drug}) if drug in name.split("_")]
    if others:
        return "drug", f"{port} takes {others[0]}, and the regimen is of {dose.drug}"
    if model not in INGREDIENTS and port not in event_ports(patient) and dose.route != "infusion":
        events = patient.models[model].Events
        known = [] if events is NoFields else [f"{model}.{e}" for e in fields(events)]
        instead = f"give it at {' or '.join(known)}" if known else "write an amount a day"
        return "route", f"{port} holds a rate, and a dose by this route arrives at once; {instead}"
    return None
