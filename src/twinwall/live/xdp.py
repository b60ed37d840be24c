"""The stateless stage in XDP: loaded, attached to interfaces, found again, succeeded by the next policy's, read, detached.

One program serves all interfaces of a policy.  It lives as long as an interface has it, with no process behind it, and any
process finds it again from an interface.  What happens to a packet is in `targets.ebpf_entry`; how policies follow each other
in docs/design/enforcement.md, "Changing a policy":

    step 1   new = XdpStage.load(…)
    step 2   new.succeed(old)             back: old.forget_successor()
    step 3   the ruleset's transaction
    step 4   new.finish(old, interfaces)
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import NamedTuple, Self

from twinwall.compile.table import RuleTable
from twinwall.live import bpf_folder
from twinwall.live.bpf import BpfError, wait_for_programs
from twinwall.live.bpf_programs import XDP, XDP_HAS_FRAGS, Program
from twinwall.live.error import EnforcementError
from twinwall.live.links import Link, XdpMode, link, links, set_xdp
from twinwall.live.netlink import NetlinkError
from twinwall.live.xdp_control import Control, namespace_seal
from twinwall.live.xdp_maps import StageMaps
from twinwall.live.xdp_stamp import attach_stamp, detach_stamp
from twinwall.path.reason import Reason
from twinwall.policy.model import Policy
from twinwall.render.marks import STAMP_SHIFTS, slot
from twinwall.targets.ebpf import load_program
from twinwall.targets.ebpf_entry import C_RULES, C_UNSTAMPED

PIN_START = "twinwall_successor_"
NAME = "twinwall"  # of our programs in the kernel
NO_CURE = (errno.EPERM, errno.EBUSY, errno.EEXIST, errno.ENODEV)  # refusals that generic mode would meet as well
FALL_BACK = "without XDP the stateless stage runs as an nftables chain (`stateless: nft`)"


class Count(NamedTuple):
    """Packets, and the bytes of their frames."""

    packets: int
    bytes: int


class XdpCounters(NamedTuple):
    """What the stage has counted since it was loaded, over all CPUs.

    `reasons`: by `path.reason.Reason` number, those that occurred; together they are all packets.  `rules`: by place in
    `CompiledPolicy.stateless.rules`.  `unstamped`: dropped because the driver left no room for the stamp.
    """

    reasons: dict[int, Count]
    rules: tuple[Count, ...]
    unstamped: Count


class XdpStage:
    """One policy's program and its maps.  A context manager: leaving it closes descriptors and detaches nothing."""

    def __init__(self, program: Program, maps: StageMaps) -> None:
        self.program = program
        self.maps = maps
        self.control = Control(maps.control)
        self.identifier = program.about().identifier

    @classmethod
    def load(
        cls,
        table: RuleTable,
        policy: Policy,
        generation: int,
        *,
        digest: bytes = b"",
        announce: Callable[[], None] | None = None,
    ) -> Self:
        """Load a policy's stateless stage; nothing refers to it yet.  Raises `EnforcementError`.

        `table` is that stage, compiled.  `digest` (up to 32 bytes) says which policy it is.  `announce` is called before a
        compilation, once per machine.
        """
        with ExitStack() as stack:
            maps = StageMaps.make(table)
            stack.callback(maps.close)
            stage = cls(stack.enter_context(load_for(maps, announce)), maps)
            stage.control.begin(generation, STAMP_SHIFTS[slot(generation)], namespace_seal(), digest, policy.interfaces)
            wanted = {*policy.interfaces, *(policy.attach.interfaces if policy.attach else ())}
            for each in links():
                if each.name in wanted:
                    stage._know(each)
            stack.pop_all()
        return stage

    @classmethod
    def of(cls, interface: str) -> Self | None:
        """The stage that runs on an interface; None if no XDP program does.

        Raises `EnforcementError` if the program there is another's, or another version's.
        """
        program = _running(link(interface))
        if program is None:
            return None
        with ExitStack() as stack:
            stack.enter_context(program)
            maps = StageMaps.of(program)
            stack.callback(maps.close)
            stage = cls(program, maps)
            stage.control.check_layout()
            stack.pop_all()
        return stage

    @property
    def generation(self) -> int:
        """The generation of the policy that the program carries."""
        return self.control.generation

    @property
    def digest(self) -> bytes:
        """Which policy the program carries: 32 bytes, as given to `load`."""
        return self.control.digest

    def interfaces(self) -> dict[str, XdpMode]:
        """Where this program is attached now, and how it runs there."""
        return {each.name: xdp.mode for each in links() for xdp in each.xdp if xdp.program == self.identifier}

    def attach(self, interface: str) -> XdpMode:
        """Run on an interface, in the driver if it can; in place, at once, of another program of ours.

        Raises `EnforcementError`: no such interface, not Ethernet, another's XDP program is there, no privilege.
        """
        found = link(interface)
        if not found.has_ethernet_header:
            cause = f"its frames ({found.kind or 'this kind of link'}) have no Ethernet header"
            raise EnforcementError(f"attach XDP to {interface}", cause, FALL_BACK)
        self.control.keep_only({each.index for each in links()})
        self._know(found)
        self._hold()
        with _running(found) or ExitStack() as present:
            attach_stamp(found.index, namespace_seal())
            if not isinstance(present, Program):
                return self._attach_first(found)
            set_xdp(found.index, found.xdp[0].mode, self.program.number, present.number)
            return found.xdp[0].mode

    def _know(self, found: Link) -> None:
        self.control.know(found.index, self.control.number(found.name))

    def _attach_first(self, found: Link) -> XdpMode:
        try:
            set_xdp(found.index, XdpMode.NATIVE, self.program.number, None)
        except NetlinkError as error:
            if error.number in NO_CURE:
                raise
            set_xdp(found.index, XdpMode.GENERIC, self.program.number, None)
            return XdpMode.GENERIC
        return XdpMode.NATIVE

    def detach(self, interface: str) -> None:
        """Take the program, and the one that moves its stamps, from an interface."""
        found = link(interface)
        for attached in found.xdp:
            if attached.program == self.identifier:
                set_xdp(found.index, attached.mode, -1, self.program.number)
                detach_stamp(found.index)
        self.release()

    def succeed(self, old: XdpStage) -> None:
        """Step 2: from now on the running program `old` calls this one for every packet, and both stamp it.

        When this returns, no packet is on its way any more that `old` alone has judged.  It stays so if this process ends.
        """
        old._hold()
        old.maps.successor.put(self.program)
        old.control.successor = True
        wait_for_programs()

    def forget_successor(self) -> None:
        """Undo step 2: this program is the last again."""
        self.control.successor = False
        with suppress(BpfError):  # there is none
            self.maps.successor.remove()

    def _hold(self) -> None:
        """Give the array of the successor a name for as long as the program is attached.

        An array of programs forgets them when no process and no name holds it: not at once, but some time after, so that a name
        given to an array that a process has just let go would come too late.
        """
        path = bpf_folder.pin_folder() / self._pin_name()
        if not path.exists():
            release_unused()
            self.maps.successor.pin(str(path))

    def release(self) -> None:
        """Let the name go, once no interface has the program."""
        if not self.interfaces():
            (bpf_folder.FOLDER / self._pin_name()).unlink(missing_ok=True)

    def _pin_name(self) -> str:
        return f"{PIN_START}{self.maps.successor.about().identifier}"

    def finish(self, old: XdpStage | None, interfaces: Iterable[str]) -> dict[str, XdpMode]:
        """Step 4: run on each of `interfaces` in place of `old`, which leaves those that it had besides; the modes."""
        modes = {interface: self.attach(interface) for interface in interfaces}
        if old is not None:
            for interface in old.interfaces():
                old.detach(interface)
            old.forget_successor()
            old.release()
        return modes

    def counters(self) -> XdpCounters:
        """What was counted so far.  Raises `EnforcementError`."""
        words = self.maps.counters.words().sum(axis=1)
        sums = [Count(packets, size) for packets, size in words.tolist()]
        reasons = {number: count for number, count in enumerate(sums[:C_UNSTAMPED]) if count.packets}
        ruled = Count(*words[C_RULES:].sum(axis=0).tolist())
        if ruled.packets:  # the program counts each packet once: for the rule that decided it, or for the reason
            reasons[Reason.STATELESS_RULE] = ruled
        return XdpCounters(reasons, tuple(sums[C_RULES:]), sums[C_UNSTAMPED])

    def close(self) -> None:
        """Let the program and its maps go; what is attached stays attached."""
        self.control.close()
        self.maps.close()
        self.program.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def release_unused() -> None:
    """Let the names go that no program needs any more: its interfaces are gone, or a killed process has left them."""
    names = list(bpf_folder.FOLDER.glob(f"{PIN_START}*"))
    if names:
        used = {number for about in Program.all_named(NAME) for number in about.map_identifiers}
        for path in names:
            number = path.name.removeprefix(PIN_START)
            if number.isdigit() and int(number) not in used:
                path.unlink(missing_ok=True)


def load_for(maps: StageMaps, announce: Callable[[], None] | None = None) -> Program:
    """The program for these maps, in the form that this kernel takes: `may_goto` came with Linux 6.9."""
    words = maps.table.value_bytes // 8
    code = load_program(may_goto=True, announce=announce).for_table(words)
    try:
        return Program.load(XDP, code, maps.to_fill_in(), name=NAME, flags=XDP_HAS_FRAGS)
    except BpfError as error:
        if error.number != errno.EINVAL or "unknown opcode e5" not in error.log:
            raise
    code = load_program(may_goto=False, announce=announce).for_table(words)
    return Program.load(XDP, code, maps.to_fill_in(), name=NAME, flags=XDP_HAS_FRAGS)


def _running(found: Link) -> Program | None:
    """Our program on an interface; None if there is none.  Raises `EnforcementError` if it is not ours."""
    if not found.xdp:
        return None
    program = Program.of_identifier(found.xdp[0].program)
    name = program.about().name
    if name == NAME:
        return program
    program.close()
    cause = f"another program is attached there: {name or 'one without a name'} (number {found.xdp[0].program})"
    raise EnforcementError(
        f"attach XDP to {found.name}", cause, f"detach it: `ip link set {found.name} xdp off`, or {FALL_BACK}"
    )
