"""Who is on duty: the commands that work as long as the machine runs hold a lock for as long as they live.

So `status` can say whether they do, also after a SIGKILL, and two of a kind do not work against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum

from twinwall.enforce.lock import Holder, Lock, is_held, read_holder
from twinwall.enforce.state import State
from twinwall.live.error import EnforcementError


class Duty(StrEnum):
    """A command that goes on, by its name on the command line."""

    GUARD = "guard"
    INSPECT = "inspect"
    WATCHDOG = "watchdog"


def on_duty(state: State, duty: Duty) -> Holder | None:
    """Who does it at this moment; None: nobody.  A process number of 0: somebody who could not write who he is."""
    path = state.folder / f"{duty}.lock"
    if not is_held(path):
        return None
    return read_holder(path)


@contextmanager
def taking(state: State, duty: Duty, say: Callable[[str], None]) -> Iterator[None]:
    """Be on duty.  Raises `EnforcementError` if somebody else is.

    A state folder that cannot be written is said, and keeps nobody from the work.
    """
    refuse_second(state, duty)
    with ExitStack() as stack:
        try:
            stack.enter_context(Lock(state.folder / f"{duty}.lock", duty, patience=0))
        except EnforcementError as error:
            refuse_second(state, duty)  # somebody came in between
            say(f"warning: `twinwall status` will not see this {duty}: {error}")
        yield


def refuse_second(state: State, duty: Duty) -> None:
    """Raise `EnforcementError` if somebody is on duty already."""
    holder = on_duty(state, duty)
    if holder is not None:
        remedy = f"end that one first, or name another state folder with --state ({state.folder} is its own)"
        raise EnforcementError(f"run `twinwall {duty}`", f"{holder} does it already", remedy)
