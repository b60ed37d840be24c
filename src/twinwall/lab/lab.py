"""Three worlds at once: the same programs under a stateless, a stateful and the given policy; and more of them for the page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from twinwall.lab.messages import Costs, CostsMeasured, Outcome, Play, Progress, Reload, Reloaded
from twinwall.lab.page import Run, page
from twinwall.lab.policies import BOTH, STATEFUL, STATELESS, bundled
from twinwall.lab.table import Results
from twinwall.lab.world import Worlds, find_ground
from twinwall.policy.model import Policy

Show = Callable[[Progress], None]


def plays(given: Policy | None, *, privileged: bool) -> list[Play]:
    """What to play: the bundled pair, and the given policy or the bundled one with both engines."""
    third = Play("both", privileged, bundled(BOTH)) if given is None else Play("yours", privileged, given)
    return [
        Play("stateless", privileged, bundled(STATELESS)),
        Play("stateful", privileged, bundled(STATEFUL)),
        third,
    ]


def run_lab(given: Policy | None, show: Show) -> Results:
    """Play everything.  Raises `EnforcementError` or `PolicyError`; nothing is left behind, however it ends."""
    with Worlds(find_ground()) as worlds:
        return _play(worlds, given, show)


def write_page(show: Show) -> tuple[Results, str]:
    """Play the bundled policies and measure what the page says besides.  Raises as `run_lab`."""
    with Worlds(find_ground()) as worlds:
        results = _play(worlds, None, show)
        privileged = worlds.ground.privileged
        reloads = [Reload(name, privileged, bundled(path)) for name, path in (("stateless", STATELESS), ("stateful", STATEFUL))]
        # One world at a time: these measure times.
        reloaded = {each.name: worlds.run(each, Reloaded, show) for each in reloads}
        measured = worlds.run(Costs("costs", privileged), CostsMeasured, show)
    return results, page(Run(results, reloaded, measured))


def _play(worlds: Worlds, given: Policy | None, show: Show) -> Results:
    asked = plays(given, privileged=worlds.ground.privileged)
    with ThreadPoolExecutor(len(asked)) as pool:
        running = [pool.submit(worlds.run, each, Outcome, show) for each in asked]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
            failed = next((each for each in running if each.done() and each.exception()), None)
            if failed is not None:
                failed.result()
            return Results(worlds.ground.name, tuple(each.result() for each in running))
        except BaseException:
            worlds.close()  # the threads wait for their worlds
            raise
