"""The processor that code is made for, and the way from LLVM modules to callable functions."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from organ_models.native.elementary import C_LIBRARY


class Unavailable(Exception):
    """The native back end cannot work on this machine; the message says why."""


@functools.cache
def width() -> int:
    """Lanes of a vector on this processor.

    Raises:
        Unavailable: no code can be made here.
    """
    try:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features()
        target = llvm.Target.from_default_triple()
    except RuntimeError as error:
        raise Unavailable(f"LLVM does not know this processor ({error})") from None
    if target.name.startswith("x86") and not features.get("fma"):
        raise Unavailable("the processor has no fused multiply-add")
    _find_c_library()
    return 8 if features.get("avx512f") else 4


def _find_c_library() -> None:
    """Tell LLVM where the mathematical functions of the C library are."""
    names = [*C_LIBRARY, "sin", "cos", "fmod", "pow"]
    for place in (None, ctypes.util.find_library("m")):
        try:
            library = ctypes.CDLL(place)
            found = {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names}
        except (OSError, AttributeError, TypeError):
            continue
        for name, address in found.items():
            llvm.add_symbol(name, address)
        return
    raise Unavailable("the mathematical functions of the C library were not found")


def _target_machine() -> llvm.TargetMachine:
    features = llvm.get_host_cpu_features()
    text = features.flatten()
    if features.get("avx512f"):
        text += ",-prefer-256-bit"  # some processors default to half of their vectors
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=text, opt=2, jit=True
    )


class Compiled:
    """A compiled module. Its functions are called by address, so that they do not hold Python's lock."""

    def __init__(self, module: ir.Module):
        width()
        parsed = llvm.parse_assembly(str(module))
        parsed.verify()
        machine = _target_machine()
        passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
        passes.getModulePassManager().run(parsed, passes)
        self._engine = llvm.create_mcjit_compiler(parsed, machine)
        self._engine.finalize_object()

    def function(self, name: str, *arguments: Any) -> Callable[..., None]:
        """A function without result; ``arguments`` are ctypes."""
        address = self._engine.get_function_address(name)
        return ctypes.CFUNCTYPE(None, *arguments)(address)
