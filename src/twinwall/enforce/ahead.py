"""Something long that can begin before it is needed, on another processor: a forked process computes it and sends it back.

Rendering a ruleset of ten thousand rules takes about as long as compiling it and having the verifier look at the program.
"""

from __future__ import annotations

import gc
import os
import pickle
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")
MOST_DESCRIPTORS = 4096  # more than a command ever opens


class Ahead(Generic[Result]):
    """The result of `function`, which is computed in a child; where that fails for any reason, here, when it is asked for."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._pipe, writing = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            self._compute(writing)
        os.close(writing)

    def _compute(self, writing: int) -> None:
        """In the child: compute, send, end.  It keeps nothing of the parent's open, a lock least of all."""
        status = 1
        gc.disable()  # it ends soon, and looking for garbage would copy the parent's memory
        try:
            os.closerange(3, writing)
            os.closerange(writing + 1, MOST_DESCRIPTORS)
            with os.fdopen(writing, "wb") as stream:
                pickle.dump(self._function(), stream)
            status = 0
        finally:
            os._exit(status)

    def result(self) -> Result:
        """What the function returns.  Raises what it raises.  To be asked for once."""
        with os.fdopen(self._pipe, "rb") as stream:
            data = stream.read()
        _, status = os.waitpid(self._child, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            return self._function()
        value: Result = pickle.loads(data)  # noqa: S301 - our own child sent it
        return value
