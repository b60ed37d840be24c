"""At the start of the machine: the last confirmed policy, before the network is up.

The ruleset is loaded whether its interfaces exist yet or not; until a program is attached to one, what comes in through it is
dropped.  `guard` attaches programs as interfaces appear.  If the policy cannot be loaded, the machine is closed (`closed`).
"""

from __future__ import annotations

from contextlib import suppress

from twinwall.enforce.change import Change
from twinwall.enforce.closed import closed_ruleset
from twinwall.enforce.desk import Desk
from twinwall.enforce.journal import Entry, Outcome, now
from twinwall.enforce.recovery import describe
from twinwall.enforce.state import Chosen
from twinwall.live import nft
from twinwall.live.error import EnforcementError
from twinwall.policy.diagnostic import PolicyError
from twinwall.policy.model import Mode


def boot(desk: Desk) -> str:
    """Put the confirmed policy in force unless something is; what was done, in words.

    Raises `EnforcementError`: the policy, or the state folder, could not be read or loaded, and the machine is closed.
    """
    chosen: Chosen | None = None
    try:
        with desk.locked("boot"):
            standing = desk.in_force()
            if standing is not None:
                return f"in force already: {describe(standing)}"
            confirmed = desk.state.confirmed()
            chosen = confirmed.policy if confirmed is not None else None
            if chosen is None:
                return "no policy is confirmed: nothing is filtered"
            pending = desk.carry_out(Change("boot", None, desk.stored(chosen, None), desk.author))
            return f"in force: {describe(pending.new)}"
    except (EnforcementError, PolicyError) as error:
        if desk.kernel.marker() is not None:
            raise
        raise _closed(desk, chosen, error) from error


def _closed(desk: Desk, chosen: Chosen | None, error: EnforcementError | PolicyError) -> EnforcementError:
    """Let nothing through, and say so."""
    cause = f"{error.action}: {error.cause}" if isinstance(error, EnforcementError) else str(error)
    nft.load(closed_ruleset(chosen.mode if chosen is not None else Mode.GATEWAY))
    name, digest = (chosen.name, chosen.digest) if chosen is not None else ("the confirmed policy", "")
    with suppress(EnforcementError):  # the disk may be what is wrong
        desk.state.journal.write(
            Entry(now(), "boot", Outcome.FAILED, desk.author, digest, name=name, detail=f"closed: {cause}")
        )
    remedy = "nothing passes now (docs/applying.md, “When a start fails”): apply a policy, or say `twinwall stop`"
    return EnforcementError(f"put {name} in force", cause, remedy)
