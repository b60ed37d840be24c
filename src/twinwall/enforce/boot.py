"""At the start of the machine: the last confirmed policy, before the network is up.

The ruleset is loaded whether its interfaces exist yet or not; until a program is attached to one, what comes in through it is
dropped.  `guard` attaches programs as interfaces appear.
"""

from __future__ import annotations

from twinwall.enforce.change import Change
from twinwall.enforce.desk import Desk
from twinwall.enforce.recovery import describe


def boot(desk: Desk) -> str:
    """Put the confirmed policy in force unless something is; what was done, in words.  Raises `EnforcementError`."""
    with desk.locked("boot"):
        standing = desk.in_force()
        if standing is not None:
            return f"in force already: {describe(standing)}"
        confirmed = desk.state.confirmed()
        if confirmed is None or confirmed.policy is None:
            return "no policy is confirmed: nothing is filtered"
        new = desk.stored(confirmed.policy, None)
        pending = desk.carry_out(Change("boot", None, new, desk.author))
        return f"in force: {describe(pending.new)}"
