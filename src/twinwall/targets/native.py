"""The packet path for the processor: object files, compiled once, kept in the user's cache, loaded in milliseconds.

Numba is needed only to make an object.  Its key in the cache is everything that decides what is in it: the code of the
functions and of all they call, how they are compiled, the versions of Numba and llvmlite, and the processor.
Loading needs llvmlite alone.  A compiled function takes and returns 64-bit words; arrays are passed by address.
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import llvmlite.binding as llvm

from twinwall.targets import bodies

PathFunction = Callable[..., int | None]
NativeFunction = Callable[..., int]

DIGEST_BYTES = 32


class Library(NamedTuple):
    """Loaded machine code: `functions` by entry name.  `engine` keeps the code mapped."""

    functions: Mapping[str, NativeFunction]
    engine: llvm.ExecutionEngine


def cache_folder() -> Path:
    """Where objects are kept: $TWINWALL_CACHE, else twinwall in $XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get("TWINWALL_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twinwall"


def fingerprint(functions: Mapping[str, PathFunction]) -> str:
    """A digest of everything that the object for `functions` depends on: their code, their constants, how they are compiled."""
    digest = hashlib.sha256()
    seen: set[FunctionType] = set()
    for name in sorted(functions):
        digest.update(name.encode() + b"\0")
        _digest_function(functions[name], digest.update, seen)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    host = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), sys.platform, sys.version)
    digest.update(repr((host, version("numba"), version("llvmlite"))).encode())
    return digest.hexdigest()[:32]


def _digest_function(function: object, update: Callable[[bytes], None], seen: set[FunctionType]) -> None:
    """Feed a packet-path function's bytecode, and the values and functions that its names mean, to a digest."""
    assert isinstance(function, FunctionType)
    if function in seen:
        return
    seen.add(function)
    code = function.__code__
    update(repr((function.__qualname__, code.co_code, code.co_consts, code.co_varnames, code.co_names)).encode())
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType):
            _digest_function(value, update, seen)
        elif isinstance(value, type) and issubclass(value, Enum):
            update(repr([(member.name, int(member.value)) for member in value if member.name in code.co_names]).encode())
        elif isinstance(value, int):
            update(repr(int(value)).encode())


def is_compiled(functions: Mapping[str, PathFunction]) -> bool:
    """Whether `load` will find the object in the cache."""
    return (cache_folder() / f"{fingerprint(functions)}.o").exists()


def load(functions: Mapping[str, PathFunction], announce: Callable[[], None] | None = None) -> Library:
    """Map the machine code of packet-path functions, compiling them first if this machine has not done so yet.

    `announce` is called before a compilation, which takes some seconds.  A cache that cannot be written is no error:
    the code is then compiled anew in every process.
    """
    path = cache_folder() / f"{fingerprint(functions)}.o"
    code = _kept(path)
    if code is None:
        if announce is not None:
            announce()
        code = compile_entries(functions)
        _keep(path, code)
    return link(code, {name: len(inspect.signature(each).parameters) for name, each in functions.items()})


def _kept(path: Path) -> bytes | None:
    """The cached object, if it is there and whole: LLVM does not survive a damaged one."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, code = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
    return code if digest == hashlib.sha256(code).digest() else None


def _keep(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            stream.write(hashlib.sha256(code).digest() + code)
        Path(stream.name).replace(path)
    except OSError:
        return


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
