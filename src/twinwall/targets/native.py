"""The packet path for the processor: object files, compiled once, kept in the user's cache, loaded in milliseconds.

Numba is needed only to make an object.  Its key in the cache is everything that decides what is in it: the code of the
functions and of all they call, how they are compiled, the versions of Numba and llvmlite, and the processor.
Loading needs llvmlite alone.  A compiled function takes and returns 64-bit words; arrays are passed by address.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import llvmlite.binding as llvm

from twinwall.targets import bodies, object_cache
from twinwall.targets.object_cache import PathFunction, cache_folder, keep, kept

NativeFunction = Callable[..., int]


class Library(NamedTuple):
    """Loaded machine code: `functions` by entry name.  `engine` keeps the code mapped."""

    functions: Mapping[str, NativeFunction]
    engine: llvm.ExecutionEngine


def fingerprint(functions: Mapping[str, PathFunction]) -> str:
    """The key of the object for `functions` on this processor."""
    host = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), sys.platform, sys.version)
    return object_cache.fingerprint(functions, host)


def is_compiled(functions: Mapping[str, PathFunction]) -> bool:
    """Whether `load` will find the object in the cache."""
    return (cache_folder() / f"{fingerprint(functions)}.o").exists()


def load(functions: Mapping[str, PathFunction], announce: Callable[[], None] | None = None) -> Library:
    """Map the machine code of packet-path functions, compiling them first if this machine has not done so yet.

    `announce` is called before a compilation, which takes some seconds.  A cache that cannot be written is no error:
    the code is then compiled anew in every process.
    """
    path = cache_folder() / f"{fingerprint(functions)}.o"
    code = kept(path)
    if code is None:
        if announce is not None:
            announce()
        code = compile_entries(functions)
        keep(path, code)
    return link(code, {name: len(inspect.signature(each).parameters) for name, each in functions.items()})


def compile_entries(entries: Mapping[str, PathFunction]) -> bytes:
    """Compile packet-path functions to one relocatable object for this processor.

    Each entry NAME becomes the symbol `twinwall_NAME`, a C function over 64-bit words.
    """
    from twinwall.targets.numba_ir import lower  # noqa: PLC0415 - Numba is imported only to compile

    _initialise()
    module = llvm.parse_assembly(bodies.native_bodies())
    wrappers = []
    for name, function in entries.items():
        lowered = lower(function)
        module.link_in(llvm.parse_assembly(lowered.text))
        wrappers.append(_wrapper(f"twinwall_{name}", lowered.symbol, lowered.arity))
    module.link_in(llvm.parse_assembly("".join(wrappers)))
    for function in module.functions:
        if not function.is_declaration and not function.name.startswith("twinwall_"):
            function.linkage = llvm.Linkage.internal
    for variable in module.global_variables:
        variable.linkage = llvm.Linkage.internal
    module.verify()
    machine = _machine()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    _assert_self_contained(module)
    return bytes(machine.emit_object(module))


def _assert_self_contained(module: llvm.ModuleRef) -> None:
    """Packet-path code calls nothing: a name left over means that a function leaves the restricted style."""
    foreign = [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]
    if foreign:
        raise TypeError(f"packet-path code calls what no target has: {', '.join(foreign)}")


def _wrapper(name: str, symbol: str, arity: int) -> str:
    """A C function around Numba's convention (result through a pointer, status as the return value)."""
    words = ", ".join(f"i64 %a{index}" for index in range(arity))
    formal = f"ptr, ptr{', i64' * arity}"
    actual = f"ptr %result, ptr %error{', ' if arity else ''}{words}"
    return (
        f"declare i32 @{symbol}({formal})\n"
        f"define i64 @{name}({words}) {{\n"
        "  %result = alloca i64\n  %error = alloca ptr\n"
        f"  %status = call i32 @{symbol}({actual})\n"
        "  %value = load i64, ptr %result\n  ret i64 %value\n}\n"
    )


def link(code: bytes, arities: Mapping[str, int]) -> Library:
    """Map an object made by `compile_entries` into this process."""
    _initialise()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    functions: dict[str, NativeFunction] = {}
    for name, arity in arities.items():
        address = engine.get_function_address(f"twinwall_{name}")
        if not address:
            raise LookupError(f"the compiled packet path has no entry {name}")
        function = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * arity)(address)
        function.engine = engine  # type: ignore[attr-defined]  # the code stays mapped as long as any function lives
        functions[name] = function
    return Library(functions, engine)


def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _machine() -> llvm.TargetMachine:
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="default",
    )
