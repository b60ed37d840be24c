"""The XDP programs across a change: which of them judge, and which of them may drop by themselves.

A program alone drops what its policy drops.  Before the switch that would enforce the new policy, and where the stateless stage
goes over to nftables or ends, after the switch the old one.  So a program that runs beside somebody else's ruleset gets the
*neutral* stage as its successor, which forwards everything: it stamps, and drops nothing.

| from → to | prepare | settle |
|---|---|---|
| XDP → XDP | the new program succeeds the old one | the new program in the old one's place |
| none or nft → XDP | the new program, succeeded by the neutral one | without the neutral one |
| XDP → none or nft | the neutral program succeeds the old one | the old program detached |

Every function looks at what the kernel has and makes it as it should be, so each may be called again by another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from twinwall.compile.policy import stateless_table
from twinwall.enforce.blueprint import Blueprint
from twinwall.live.bpf_folder import pin_folder
from twinwall.live.error import EnforcementError
from twinwall.live.links import Link, links
from twinwall.live.xdp import XdpStage, release_unused
from twinwall.live.xdp_stamp import has_stamp
from twinwall.policy.model import Attach, Policy
from twinwall.render.marks import slot

NEUTRAL = Policy()  # no rules, and the stateless default is to forward


class Programs:
    """The programs of the calling thread's network namespace.  `announce` is called before a compilation (once per machine)."""

    def __init__(self, announce: Callable[[], None] | None = None) -> None:
        self._announce = announce
        self._loaded: dict[tuple[str, int], XdpStage] = {}  # by digest and generation

    def load(self, target: Blueprint) -> XdpStage:
        """The target's program, loaded and attached nowhere.  Raises `EnforcementError` if the kernel does not take it."""
        key = (target.force.chosen.digest, target.force.generation)
        if key not in self._loaded:
            digest = bytes.fromhex(target.force.chosen.digest)
            self._loaded[key] = XdpStage.load(
                target.stateless, target.policy, target.force.generation, digest=digest, announce=self._announce
            )
        return self._loaded[key]

    def prepare(self, new: Blueprint | None) -> None:
        """Let the new policy judge beside whatever runs, and nothing be dropped that only one of the two would drop."""
        with _running() as running:
            if new is None or new.force.way != "xdp":
                for stage in running.values():
                    self._neutralise(stage)
                return
            loaded = self.load(new)
            for stage in running.values():
                if stage.identifier != loaded.identifier:
                    loaded.succeed(stage)
            self._attach_fresh(new, loaded, running)

    def _attach_fresh(self, new: Blueprint, loaded: XdpStage, running: Mapping[int, XdpStage]) -> None:
        """Run on interfaces that have no program of ours yet.

        One that succeeds another must not have a successor itself, which would speak for the old policy: these interfaces then
        get an instance of their own until the switch.
        """
        bare = [each for each in _attached(new) if not each.xdp]
        if not bare:
            return
        instance = loaded
        if any(stage.identifier != loaded.identifier for stage in running.values()):
            instance = XdpStage.load(new.stateless, new.policy, new.force.generation, digest=loaded.digest)
        self._neutralise(instance)
        for each in bare:
            instance.attach(each.name)

    def _neutralise(self, stage: XdpStage) -> None:
        """Let a program stamp and drop nothing."""
        other = 1 + slot(stage.generation)  # a generation of the other slot
        with XdpStage.load(stateless_table(NEUTRAL), NEUTRAL, other, announce=self._announce) as neutral:
            neutral.succeed(stage)

    def settle(self, target: Blueprint | None) -> None:
        """The target's program alone, on its interfaces and nowhere else."""
        with _running() as running:
            stage = self._chosen(target, running) if target is not None and target.force.way == "xdp" else None
            wanted = {each.name for each in _attached(target)} if target is not None and stage is not None else set()
            for link in links():
                if link.name in wanted and stage is not None:
                    if stage.identifier not in {xdp.program for xdp in link.xdp} or not has_stamp(link.index):
                        stage.attach(link.name)
                elif any(xdp.program in running for xdp in link.xdp):
                    _detach(link, running)
            for each in (*running.values(), *((stage,) if stage else ())):
                each.forget_successor()
                each.release()
            release_unused()

    def _chosen(self, target: Blueprint, running: Mapping[int, XdpStage]) -> XdpStage:
        """The program that is to run: one that does already, so that its counters count on; else the loaded one."""
        own = self._loaded.get((target.force.chosen.digest, target.force.generation))
        if own is not None:
            return own
        return next((stage for stage in running.values() if carries(stage, target)), None) or self.load(target)


def carries(stage: XdpStage, target: Blueprint) -> bool:
    """Whether a program is the target's."""
    digest = bytes.fromhex(target.force.chosen.digest)
    return stage.generation == target.force.generation and stage.digest.startswith(digest)


def modes(target: Blueprint) -> dict[str, str]:
    """How the target's program runs on each interface that has it."""
    found: dict[str, str] = {}
    with _running() as running:
        for stage in running.values():
            if carries(stage, target):
                found |= {name: mode.name.lower() for name, mode in stage.interfaces().items()}
    return found


def unguarded(target: Blueprint) -> tuple[str, ...]:
    """The target's interfaces that exist and do not run its program, or the one behind it that hands on what it says."""
    with _running() as running:
        own = {number for number, stage in running.items() if carries(stage, target)}
    return tuple(
        each.name for each in _attached(target) if not (own & {xdp.program for xdp in each.xdp} and has_stamp(each.index))
    )


def running_modes() -> dict[str, str]:
    """Every interface with a program of ours, and how it runs there."""
    with _running() as running:
        return {name: mode.name.lower() for stage in running.values() for name, mode in stage.interfaces().items()}


def obstacle(attach: Attach) -> str:
    """Why XDP cannot run on every interface of `attach`, as far as one can see without trying; empty if it seems to."""
    there = {each.name: each for each in links()}
    try:
        pin_folder()
    except EnforcementError as error:
        return error.cause
    for name in attach.interfaces:
        found = there.get(name)
        if found is not None and not found.has_ethernet_header:
            return f"{name} ({found.kind or 'its link type'}) has no Ethernet header"
        if found is not None and found.xdp:
            try:
                stage = XdpStage.of(name)
            except EnforcementError as error:
                return f"{name}: {error.cause}"
            if stage is not None:
                stage.close()
    return ""


@contextmanager
def _running() -> Iterator[dict[int, XdpStage]]:
    """Every program of ours that runs on an interface, by its number."""
    with ExitStack() as stack:
        found: dict[int, XdpStage] = {}
        for each in links():
            if not any(xdp.program in found for xdp in each.xdp):
                stage = _ours(each)
                if stage is not None:
                    found[stage.identifier] = stack.enter_context(stage)
        yield found


def _ours(link: Link) -> XdpStage | None:
    """Our program on an interface; None if there is none, or somebody else's."""
    try:
        return XdpStage.of(link.name) if link.xdp else None
    except EnforcementError:
        return None


def _attached(target: Blueprint) -> list[Link]:
    """The target's interfaces that exist now."""
    return [each for each in links() if each.name in target.attach.interfaces]


def _detach(link: Link, running: Mapping[int, XdpStage]) -> None:
    for xdp in link.xdp:
        if xdp.program in running:
            running[xdp.program].detach(link.name)
