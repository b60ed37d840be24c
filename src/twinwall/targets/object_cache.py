"""What was compiled once stays on disk: objects in the user's cache, found again by everything that decides what is in them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from types import FunctionType

PathFunction = Callable[..., int | None]

DIGEST_BYTES = 32


def cache_folder() -> Path:
    """Where objects are kept: $TWINWALL_CACHE, else twinwall in $XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get("TWINWALL_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twinwall"


def fingerprint(functions: Mapping[str, PathFunction], target: object) -> str:
    """A digest of everything that the object for `functions` depends on: their code, their constants, how they are compiled.

    `target` says, by its `repr`, what they are compiled for.
    """
    digest = hashlib.sha256()
    seen: set[FunctionType] = set()
    for name in sorted(functions):
        digest.update(name.encode() + b"\0")
        _digest_function(functions[name], digest.update, seen)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    digest.update(repr((target, version("numba"), version("llvmlite"))).encode())
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


def kept(path: Path) -> bytes | None:
    """The cached object, if it is there and whole: LLVM does not survive a damaged one."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, code = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
    return code if digest == hashlib.sha256(code).digest() else None


def keep(path: Path, code: bytes) -> None:
    """Keep an object; a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            stream.write(hashlib.sha256(code).digest() + code)
        Path(stream.name).replace(path)
    except OSError:
        return
