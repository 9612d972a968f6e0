"""From a protocol's words to a composed virtual patient, with the protocol's line in every error."""

from __future__ import annotations

import numpy as np

from organ_models.catalogue import UnknownModel
from organ_models.units import UnitError, conversion
from trials.protocol import Arm, Protocol
from vht.course import dose_ports, event_ports
from vht.patient import CompositionError, Coupling, VirtualPatient


def compose(protocol: Protocol) -> VirtualPatient:
    """The virtual patient that a protocol declares.

    Raises:
        ProtocolError: an unknown model, a port that a model lacks, units that cannot be converted, a loop, a
            dose at a port that takes none, or a measured quantity that no model shows; with the line.
    """
    section = protocol.virtual_patient
    for index, name in enumerate(section.models):
        try:
            VirtualPatient([name])
        except UnknownModel as error:
            raise protocol.error_at(("virtual_patient", "models", index), str(error)) from None
    couplings = [Coupling(c.source, c.target, c.solve, c.follow) for c in section.couplings]
    try:
        patient = VirtualPatient(section.models, couplings)
    except CompositionError as error:
        at = error.index
        position: tuple[str | int, ...] = ("virtual_patient", "couplings")
        raise protocol.error_at(position if at is None else (*position, at), str(error)) from None
    for name in protocol.measured_quantities:
        if patient.output_of(name) is None:
            message = f"no model of this virtual patient shows '{name}'"
            raise protocol.error_at(("visits", name), message)
    for index, arm in enumerate(protocol.arms):
        _check_doses(protocol, patient, index, arm)
    dosed = {port for arm in protocol.arms for port in arm.doses}
    for port in dose_ports(patient):
        if port not in dosed and port not in event_ports(patient):  # what may happen need not
            index = section.models.index(port.partition(".")[0])
            message = f"nothing drives {port}: couple an output to it, or dose it in an arm"
            raise protocol.error_at(("virtual_patient", "models", index), message)
    return patient


def doses_of(protocol: Protocol, patient: VirtualPatient, arm: Arm) -> dict[str, np.ndarray]:
    """What an arm gives: by port, the amount on every day of the trial in the port's unit."""
    grid = np.arange(round(protocol.duration_days))
    return {
        port: dose.daily(grid) * conversion(dose.amount.unit, _unit(patient, port)).factor
        for port, dose in arm.doses.items()
    }


def _unit(patient: VirtualPatient, port: str) -> str:
    return patient.port(port, "Events" if port in event_ports(patient) else "Inputs").unit


def _check_doses(protocol: Protocol, patient: VirtualPatient, index: int, arm: Arm) -> None:
    for port, dose in arm.doses.items():
        position = ("arms", index, "doses", port)
        try:
            unit = _unit(patient, port)
        except CompositionError as error:
            raise protocol.error_at(position, str(error)) from None
        if port not in dose_ports(patient):
            message = f"doses cannot be given at {port}; they can at {', '.join(dose_ports(patient))}"
            raise protocol.error_at(position, message)
        try:
            conversion(dose.amount.unit, unit)
        except UnitError as error:
            raise protocol.error_at((*position, "amount"), str(error)) from None
