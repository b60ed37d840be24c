"""From one policy to the next: four steps, and what to do when one is refused.

Only the switch decides what the kernel enforces.  What comes before it changes nothing that anybody reads, what comes after it
only tidies up; so a process killed anywhere leaves the old policy or the new one, and `Kernel.settle` of whichever it is
finishes the work.  Every step may be taken again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.marker import Marker
from twinwall.enforce.masters import Moved
from twinwall.live.error import EnforcementError


class Kernel(Protocol):
    """Who takes the steps.  A blueprint of None is no policy at all.  Every method raises `EnforcementError`."""

    def hold(self, descriptor: int) -> None:
        """The lock's descriptor: whoever works for the kernel in another process holds it too."""

    def marker(self) -> Marker | None:
        """Which policy the kernel holds; None: none of ours."""

    def forget(self, generation: int) -> None:
        """Let no connection be of this generation any more: the number is about to be another policy's."""

    def forget_flow_bits(self) -> None:
        """Let no connection have a flow bit: their numbers are about to be given anew."""

    def check(self, new: Blueprint) -> None:
        """Find out, without doing it, whether the kernel would take it."""

    def prepare(self, new: Blueprint | None) -> None:
        """Let both policies judge every packet, the new one's judgement not yet read by anybody, and stage its ruleset."""

    def switch(self, new: Blueprint | None) -> None:
        """The one transaction that counts."""

    def settle(self, target: Blueprint | None) -> None:
        """Make everything but the ruleset as `target` has it: programs, settings, the queue; nothing else stays."""

    def renumber(self, target: Blueprint) -> bool:
        """Let the ruleset name the target's interfaces by the numbers that they have now; whether it did not."""

    def modes(self, target: Blueprint) -> Mapping[str, str]:
        """How each interface's program runs (`native`, `generic`); an interface that is missing now is not named."""

    def homes(self, target: Blueprint) -> Mapping[str, str]:
        """In bridge mode, the bridge of each of the target's interfaces that is in one."""

    def moved(self, target: Blueprint) -> tuple[Moved, ...]:
        """The target's interfaces that somebody has put where the stateful stage does not see them."""

    def bring_back(self, moved: Moved) -> None:
        """Put such an interface where it was."""

    def unguarded(self, target: Blueprint) -> tuple[str, ...]:
        """The target's interfaces that exist and lack its program: nothing passes them."""

    def ruleset_version(self) -> int:
        """A number that changes whenever anybody changes any ruleset."""

    def fingerprint(self) -> str:
        """The ruleset as the kernel lists it, in short: another one means that somebody else changed it."""


def replace(kernel: Kernel, old: Blueprint | None, new: Blueprint | None) -> None:
    """Put `new` in the place of `old`.

    Raises `EnforcementError` if the kernel refuses; `old` is then in force, unless the error is one of going back to it.
    """
    try:
        if new is not None:
            kernel.check(new)
        kernel.prepare(new)
        kernel.switch(new)
    except EnforcementError:
        if not holds(kernel, new):  # `nft` may have died after the kernel had done what it asked
            _back_out(kernel, old)
            raise
    try:
        kernel.settle(new)
    except EnforcementError:
        kernel.prepare(old)
        kernel.switch(old)
        _back_out(kernel, old)
        raise


def holds(kernel: Kernel, target: Blueprint | None) -> bool:
    """Whether the kernel holds `target`."""
    return kernel.marker() == (target.marker if target is not None else None)


def _back_out(kernel: Kernel, old: Blueprint | None) -> None:
    """Tidy up after a refusal.  What cannot be tidied up does no harm, and the first refusal is the one to hear about."""
    try:
        kernel.settle(old)
    except EnforcementError:
        return
