"""Putting what the state folder says is in force into the kernel again, where nothing can be written down.

A policy of the next generation would have to be recorded first, or nobody would know it again.  In its own generation nothing
has to be: the record that is there says what the kernel then holds.
"""

from __future__ import annotations

from twinwall.enforce import transaction
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.transaction import Kernel


def load_unrecorded(kernel: Kernel, made: Blueprint) -> None:
    """Load `made` in the place of whatever is there.  Raises `EnforcementError`.

    What is there in its generation has to go first: what the stateful stage would drop passes for that moment, as it may have
    before, because of whoever damaged the ruleset.  Connections are judged anew.
    """
    if kernel.marker() is not None:
        kernel.switch(None)
    transaction.replace(kernel, None, made)
    kernel.forget(made.force.generation)  # now: before, the damaged ruleset would have gone on to pass new ones
