"""Three worlds at once: the same programs under a stateless, a stateful and the given policy."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from twinwall.lab.messages import Job, Progress
from twinwall.lab.policies import BOTH, STATEFUL, STATELESS, bundled
from twinwall.lab.table import Results
from twinwall.lab.world import Worlds, find_ground
from twinwall.policy.model import Policy


def jobs(given: Policy | None, *, privileged: bool) -> list[Job]:
    """What to play: the bundled pair, and the given policy or the bundled one with both engines."""
    return [
        Job("stateless", bundled(STATELESS), privileged),
        Job("stateful", bundled(STATEFUL), privileged),
        Job("both engines" if given is None else "yours", bundled(BOTH) if given is None else given, privileged),
    ]


def run_lab(given: Policy | None, progress: Callable[[Progress], None]) -> Results:
    """Play everything.  Raises `EnforcementError`; nothing is left behind, however it ends."""
    ground = find_ground()
    asked = jobs(given, privileged=ground.privileged)
    with Worlds(ground) as worlds, ThreadPoolExecutor(len(asked)) as pool:
        running = [pool.submit(worlds.run, job, progress) for job in asked]
        try:
            return Results(ground.name, tuple(each.result() for each in running))
        except BaseException:
            worlds.close()  # the threads wait for their worlds
            raise
