"""Who executes the pipeline: the processor, or CPython for explanations.  Both work on the same NumPy memory.

Other functions of the packet path than the pipeline's are executed by a machine that is made for them.

A place is what packet-path code takes for an address: a number for the processor, a checked `Pointer` for the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twinwall.conntrack.chains import sweep
from twinwall.engine.emission import force_oldest, oldest_waiting
from twinwall.engine.pipeline import give_up, run
from twinwall.path.primitives import Pointer

if TYPE_CHECKING:
    from twinwall.targets.object_cache import PathFunction

Place = Any  # int or Pointer; the two never meet
FUNCTIONS: dict[str, PathFunction] = {
    "run": run,
    "give_up": give_up,
    "force_oldest": force_oldest,
    "oldest_waiting": oldest_waiting,
    "sweep": sweep,
}


class Machine(Protocol):
    """Executes packet-path functions by name."""

    def place(self, array: NDArray[Any]) -> Place:
        """Where `array` lies; keep the array alive."""

    def call(self, name: str, *arguments: Place) -> int:
        """Execute one of the machine's functions."""


class NativeMachine:
    """The processor.  `announce` is called before the one-time compilation."""

    def __init__(self, announce: Callable[[], None] | None = None, functions: Mapping[str, PathFunction] = FUNCTIONS) -> None:
        from twinwall.targets import native  # noqa: PLC0415 - explaining does without a compiler

        self._library = native.load(functions, announce)

    def place(self, array: NDArray[Any]) -> Place:
        """The array's address."""
        return int(array.ctypes.data)

    def call(self, name: str, *arguments: Place) -> int:
        """Call the compiled function."""
        return self._library.functions[name](*arguments)


class InterpretedMachine:
    """CPython, with every access checked.  `notes` collects what the packet path tells a recorder."""

    def __init__(self, notes: list[tuple[int, int]] | None = None, functions: Mapping[str, PathFunction] = FUNCTIONS) -> None:
        self._notes = notes
        self._functions = functions

    def place(self, array: NDArray[Any]) -> Place:
        """A checked pointer to the array's first byte."""
        return Pointer(array.view(np.uint8).reshape(-1).data, 0, self._notes)

    def call(self, name: str, *arguments: Place) -> int:
        """Interpret the function."""
        return int(self._functions[name](*arguments) or 0)
