"""The steps of a change as Linux takes them: `transaction.Kernel` over `live`.

| step | ruleset | programs | settings |
|---|---|---|---|
| check | | the kernel's verifier looks at the new one | |
| prepare | the new one is staged beside the old one | the new one judges beside the old one | what the switch needs |
| switch | one transaction | | |
| settle | what is not the target's is swept away | the target's on its interfaces, nobody else's of ours | the target's |
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from twinwall.enforce import masters
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.marker import Marker
from twinwall.enforce.masters import Moved
from twinwall.enforce.programs import Programs, modes, obstacle, unguarded
from twinwall.enforce.state import State
from twinwall.live import nft, queue_rule, sysctl
from twinwall.live.conntrack import ConnectionTable
from twinwall.live.error import EnforcementError
from twinwall.live.grace import wait_for_packets
from twinwall.live.links import links
from twinwall.live.netdev_hook import hooked_devices
from twinwall.live.nft import TABLES, Table
from twinwall.live.nft_objects import RULESETS, marker_text, objects, staged_generation, sweep, unhook
from twinwall.live.queue_rule import QueueRule
from twinwall.live.table_comment import generation_number, table_comment
from twinwall.policy.model import Mode
from twinwall.render.fast import KNOWN
from twinwall.render.marks import CT_GENERATION, CT_GENERATION_SHIFT
from twinwall.render.stateless import drops_script, stateless_table, table_name
from twinwall.render.switch import Hook, hook_text
from twinwall.render.sysctls import Setting

RULESET = Table("inet", "twinwall")
BRIDGE = "net.bridge."  # without these settings a bridge's packets pass the ruleset by: they precede it
NETDEV = tuple(table for table in TABLES if table.family == "netdev")
# Of a listing, what chains hang on, and what rules name by number.  Together in one pattern they take fifty times as long.
DEVICES = re.compile(r" devices? (?:= )?(?:\{[^}]*\}|\S+)(?= priority)")
SHORTCUT = rf"\n\t+iif \S+ meta mark 0x\w+ ct state established ct mark & 0x\w+ vmap @{KNOWN}\.\d+(?=\n)"
NUMBERED = re.compile(rf"{SHORTCUT}|\tiif \S+")
NUMBER = re.compile(r"\tiif (\S+)")


class LinuxKernel:
    """The kernel, in the network namespace of the calling thread.  `state` remembers settings as they were before twinwall."""

    def __init__(self, state: State, announce: Callable[[], None] | None = None) -> None:
        """`announce` is called before the packet path is compiled for XDP, which happens once on each machine."""
        self._state = state
        self.programs = Programs(announce)
        self._keep_open: tuple[int, ...] = ()
        self._numbers: Mapping[str, int] | None = None  # of the interfaces, as the ruleset has them

    def hold(self, descriptor: int) -> None:
        """Let `nft` hold the lock with this process, so that a killed command's transaction is over before another begins."""
        self._keep_open = (descriptor,)

    def marker(self) -> Marker | None:
        """Which policy the ruleset says it is."""
        return Marker.parse(marker_text(RULESET))

    def forget(self, generation: int) -> None:
        """Connections that a policy of this generation marked long ago become ones that no policy has seen."""
        with ConnectionTable() as table:
            for entry in table.entries(generation << CT_GENERATION_SHIFT, CT_GENERATION):
                table.set_mark(entry, 0, CT_GENERATION)

    def forget_flow_bits(self) -> None:
        """Connections lose their labels."""
        with ConnectionTable() as table:
            table.clear_labels()

    def check(self, new: Blueprint) -> None:
        """Let the kernel's verifier look at the program; the ruleset is looked at where it is staged."""
        if new.force.way == "xdp":
            why = obstacle(new.attach)
            if why:
                raise EnforcementError("run the stateless stage in XDP", why, "detach it, or apply with `--stateless nft`")
            self.programs.load(new)

    def prepare(self, new: Blueprint | None) -> None:
        """Whatever must be there before the switch."""
        self.programs.prepare(new)
        self._stamp_only(new)
        if new is None:
            return
        self._stage(new)
        self._set(setting for setting in new.settings if setting.name.startswith(BRIDGE))
        if _queue(new) and not queue_rule.describe():
            queue_rule.install(_queue(new))

    def switch(self, new: Blueprint | None) -> None:
        """Let the base chains lead to what was staged, or take them away; every packet at a hook has both stamps by then."""
        wait_for_packets()
        if new is None:
            self._load(unhook())
        else:
            numbers = _numbers(new)
            self._load(unhook(new.ruleset.hooks) + new.ruleset.switch(numbers))
            self._numbers = numbers

    def settle(self, target: Blueprint | None) -> None:
        """Make everything else as `target` has it."""
        self.programs.settle(target)
        self._settle_tables(target)
        _settle_queue(_queue(target) if target is not None else ())
        if target is not None:
            self._set(target.settings)
        else:
            self._give_back()

    def renumber(self, target: Blueprint) -> bool:
        """Write the shortcuts anew if they name interfaces by numbers that these do not have; whether that was so.

        The ruleset is looked at only if a number is another one than the last time.
        """
        numbers = _numbers(target)
        if numbers == self._numbers or target.attach.mode is not Mode.GATEWAY:
            return False
        hooks: list[Hook] = []
        if _shortcuts() != [f'"{name}"' for name in target.attach.interfaces if name in numbers]:
            hooks = [hook for hook in target.ruleset.hooks if hook.shortcut is not None and hook.shortcut.interfaces]
            self._load(hook_text(hooks, target.force.generation, numbers))
        self._numbers = numbers
        return bool(hooks)

    def modes(self, target: Blueprint) -> Mapping[str, str]:
        """Interface → native or generic."""
        return modes(target)

    def homes(self, target: Blueprint) -> Mapping[str, str]:
        """The bridges of bridge mode's ports."""
        return masters.homes(target.attach, links())

    def moved(self, target: Blueprint) -> tuple[Moved, ...]:
        """Interfaces that became ports, or ceased to be."""
        return tuple(masters.moved(target.attach, links(), target.force.homes))

    def bring_back(self, moved: Moved) -> None:
        """Undo that."""
        masters.bring_back(moved, links())

    def unguarded(self, target: Blueprint) -> tuple[str, ...]:
        """Where the target's program is missing, or its netdev chain does not hang."""
        if target.force.way == "xdp":
            return unguarded(target)
        hooked = hooked_devices(Table("netdev", table_name(target.force.generation)), "ingress")
        return tuple(each.name for each in links() if each.name in target.attach.interfaces and each.name not in hooked)

    def ruleset_version(self) -> int:
        """The count of transactions in this network namespace, which nftables keeps itself."""
        return generation_number()

    def fingerprint(self) -> str:
        """A digest of the listings of all our tables without counters; interfaces come and go, and are not part of it.

        Nor are the shortcuts, which say nothing that the rest does not say: there is one for each interface that is there.
        """
        there = [table for table in (*RULESETS, *NETDEV) if table_comment(table) is not None]
        parts = [part for table in there for part in _parts(NUMBERED.sub("", DEVICES.sub("", nft.still(table))))]
        return hashlib.sha256("".join([*parts, queue_rule.still()]).encode()).hexdigest()[:32]

    def _load(self, script: str) -> None:
        if script:
            nft.load(script, self._keep_open)

    def _stage(self, new: Blueprint) -> None:
        """Put the ruleset beside the one in force.  Nothing refers to it; the netdev table stamps, and nobody reads it."""
        generation = new.force.generation
        if self.marker() == new.marker:
            return
        self._load(sweep(lambda each: each == generation))  # left by a command that was killed
        self._load(new.ruleset.stage)
        if new.force.way == "nft":
            table = stateless_table(new.policy, new.attach, generation, direct=False)
            self._remove([Table("netdev", table_name(generation))])
            self._load(table.staged(generation))
            self._load(hook_text(table.hooks(), generation))

    def _stamp_only(self, new: Blueprint | None) -> None:
        """The netdev table of the policy in force leaves the dropping to the ruleset, which knows when its time ends."""
        for table in NETDEV:
            own = new is not None and table.name == table_name(new.force.generation)
            generation = staged_generation(table)
            if not own and generation is not None:
                self._load(drops_script(generation, direct=False))

    def _settle_tables(self, target: Blueprint | None) -> None:
        """Remove what is there for a policy that is not in force."""
        kept = target.force.generation if target is not None else None
        self._remove(_unused(target), sweep(lambda generation: generation != kept or kept is None))
        for table in NETDEV:
            if kept is not None and staged_generation(table) == kept:
                self._load(drops_script(kept, direct=True))

    def _remove(self, tables: Iterable[Table], swept: str = "") -> None:
        """Remove those of `tables` that exist, and run the script `swept`, once no packet walks either any more.

        A table that goes with its hook is empty to packets on their way through it, and those would be dropped.
        """
        there = [table for table in tables if table_comment(table) is not None]
        if swept or there:
            self._load(unhook(tables=[table for table in there if table in NETDEV]))
            wait_for_packets()
            self._load(swept)
        if there:
            nft.remove(there, self._keep_open)

    def _set(self, settings: Iterable[Setting]) -> None:
        """Set what differs, and remember what was there before twinwall first did, before it does."""
        wanted = [(each, sysctl.read(each.name)) for each in settings]
        changed = [(each, before) for each, before in wanted if before != each.value]
        originals = self._state.originals()
        new = {each.name: before for each, before in changed if before is not None and each.name not in originals}
        if new:
            self._state.set_originals({**originals, **new})
        for each, before in changed:
            if before is not None or each.required:
                self._set_one(each)

    @staticmethod
    def _set_one(setting: Setting) -> None:
        try:
            sysctl.write(setting.name, setting.value)
        except EnforcementError:
            if setting.required:
                raise

    def _give_back(self) -> None:
        """Put every setting back as it was before twinwall."""
        originals = self._state.originals()
        if originals:
            failures = sysctl.restore(originals)
            self._state.set_originals({})
            if failures:
                raise failures[0]


def _numbers(target: Blueprint) -> dict[str, int]:
    """The numbers of the attached interfaces that there are."""
    return {each.name: each.index for each in links() if each.name in target.attach.interfaces}


def _shortcuts() -> list[str]:
    """The interfaces of a gateway's shortcuts: their names, quoted, or a number that none has."""
    return NUMBER.findall(nft.ask(["list", "chain", *RULESET, "forward"], "list a base chain"))


def _parts(listing: str) -> list[str]:
    """A table's objects: they are listed in the order in which they were made, which tells nothing."""
    head, _, body = listing.partition("\n")
    return [head, *sorted(each.strip("\n") for each in body.split("\n\t}\n"))]


def _unused(target: Blueprint | None) -> Iterator[Table]:
    """The tables that hold nothing that `target` needs."""
    own = table_name(target.force.generation) if target is not None and target.force.way == "nft" else ""
    yield from (table for table in NETDEV if table.name != own)
    # What closes a machine whose start has failed (`closed`) stays until a policy takes its place, or nobody wants one.
    yield from (table for table in RULESETS if not any(each.hooked for each in objects(table)))


def _queue(target: Blueprint) -> tuple[QueueRule, ...]:
    """What hands packets to the inspector besides the ruleset."""
    return queue_rule.queue_rules(target.attach) if target.force.queue == "target" else ()


def _settle_queue(wanted: tuple[QueueRule, ...]) -> None:
    """Let the queue's table hold exactly what is wanted, and leave it alone if it does: its counters count on."""
    there = tuple(replace(each, packets=0, bytes=0) for each in queue_rule.describe())
    if there == wanted:
        return
    if wanted:
        queue_rule.install(wanted)
    else:
        queue_rule.remove()
