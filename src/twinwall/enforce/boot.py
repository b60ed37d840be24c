"""At the start of the machine: the last confirmed policy, before the network is up.

The ruleset is loaded whether its interfaces exist yet or not; until a program is attached to one, what comes in through it is
dropped.  `guard` attaches programs as interfaces appear.  If the policy cannot be loaded, the machine is closed (`closed`).  A
disk that is full or read-only is no reason: the policy is then loaded as the last start left it on record.
"""

from __future__ import annotations

from contextlib import suppress

from twinwall.enforce.change import Change
from twinwall.enforce.closed import closed_ruleset
from twinwall.enforce.desk import Desk
from twinwall.enforce.disk import DiskError
from twinwall.enforce.journal import Entry, Outcome, now
from twinwall.enforce.recovery import describe
from twinwall.enforce.state import Chosen, InForce
from twinwall.enforce.unrecorded import load_unrecorded
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
            return f"in force: {describe(_load(desk, chosen))}"
    except (EnforcementError, PolicyError) as error:
        if desk.kernel.marker() is not None:
            raise
        raise _closed(desk, chosen, error) from error


def _load(desk: Desk, chosen: Chosen) -> InForce | None:
    """Load the confirmed policy; what is in force then."""
    try:
        return desk.carry_out(Change("boot", None, desk.stored(chosen, None), desk.author)).new
    except DiskError as error:
        last = desk.state.current()
        made = desk.blueprint(last)
        if last is None or made is None or last.chosen != chosen or desk.state.pending() is not None:
            raise
        load_unrecorded(desk.kernel, made)
        desk.said(f"warning: loaded as it was before the start, because nothing can be written down: {error}")
        return last


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
