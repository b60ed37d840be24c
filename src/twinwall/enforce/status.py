"""What is in force in this network namespace, how it runs, what it has counted, and what is wrong with it.

Everything is read, nothing is changed and no lock is taken: while another command changes the policy, what is seen may be of
both.  Our tables are listed once; the policy's text is read once for as long as it is in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.design import standing
from twinwall.enforce.duty import Duty, on_duty
from twinwall.enforce.journal import Outcome
from twinwall.enforce.linux import RULESET, LinuxKernel
from twinwall.enforce.lock import Holder
from twinwall.enforce.masters import Moved, beside, moved
from twinwall.enforce.programs import carries
from twinwall.enforce.state import Confirmed, InForce, Pending, State, uptime
from twinwall.enforce.status_counts import Counted, count
from twinwall.live import nft, queue_rule, sysctl
from twinwall.live.conntrack import ConnectionTable, TableFill
from twinwall.live.error import EnforcementError
from twinwall.live.links import Link, links
from twinwall.live.netdev_hook import hooked_devices
from twinwall.live.nflog import GROUPS
from twinwall.live.nfqueue import QueueFill, queues
from twinwall.live.nft import Table
from twinwall.live.nft_counts import read_counts
from twinwall.live.queue_rule import QueueRule
from twinwall.live.receiver import UNSEEN, processes_of, receivers
from twinwall.live.xdp import XdpCounters, XdpStage
from twinwall.live.xdp_stamp import has_stamp
from twinwall.policy.model import Mode, Policy
from twinwall.render.stateless import table_name
from twinwall.render.sysctls import Setting

BRIDGE_RULESET = Table("bridge", "twinwall")  # what knows a bridge's ports


@dataclass(frozen=True, slots=True)
class Interface:
    """An attached interface.  `way`: how the stateless stage runs there (`xdp native`, `xdp generic`, `nft`); empty: not."""

    name: str
    present: bool
    way: str
    stamped: bool = True  # the tc program behind XDP is there
    moved: Moved | None = None  # it is where its packets pass the stateful stage by


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who receives what, in words: by the number of the log group, and of the queue."""

    logs: Mapping[int, str]
    queues: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Differing:
    """A kernel setting that is not as the policy wants it."""

    setting: Setting
    value: str


@dataclass(frozen=True)
class Status:
    """One look.  `force` None: nothing is in force, or (`unknown` says why) what is cannot be told."""

    force: InForce | None = None
    unknown: EnforcementError | None = None
    policy: Policy | None = None
    by: str = ""  # who put it in force
    pending: Pending | None = None
    confirmed: Confirmed | None = None
    expired: bool = False  # the trial's time is over
    watchdog: Holder | None = None  # who looks after the trial
    guard: Holder | None = None  # who looks after what is in force
    inspector: Holder | None = None  # who decides what `inspect` rules hand over
    damaged: bool = False  # somebody else has changed the ruleset
    interfaces: tuple[Interface, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()  # interfaces that are not attached, and the attached ones that they stand on
    counted: Counted = field(default_factory=Counted)
    table: TableFill | None = None
    handed: tuple[QueueRule, ...] = ()
    queues: tuple[QueueFill, ...] = ()
    receivers: Receivers = field(default_factory=lambda: Receivers({}, {}))
    settings: tuple[Differing, ...] = ()


class Observer:
    """Looks again and again, and reads a policy only when it is a new one."""

    def __init__(self, state: State, clock: Callable[[], float] = uptime) -> None:
        self._state = state
        self._kernel = LinuxKernel(state)
        self._clock = clock
        self._blueprint: Blueprint | None = None

    def look(self) -> Status:
        """Raises `EnforcementError` if the kernel or the state folder cannot be read."""
        pending, confirmed = self._state.pending(), self._state.confirmed()
        trial = {
            "pending": pending,
            "confirmed": confirmed,
            "expired": pending is not None and pending.expired(self._clock()),
            "watchdog": on_duty(self._state, Duty.WATCHDOG),
            "guard": on_duty(self._state, Duty.GUARD),
            "inspector": on_duty(self._state, Duty.INSPECT),
        }
        table = _table_fill()
        try:
            force = standing(self._state, self._kernel)
        except EnforcementError as error:
            return Status(unknown=error, table=table, **trial)  # type: ignore[arg-type]  # of the fields' types
        if force is None:
            return Status(table=table, **trial)  # type: ignore[arg-type]
        waiting = tuple(queues()) if force.queue != "none" else ()
        return Status(
            force=force,
            policy=self._made(force).policy,
            by=self._author(force),
            damaged=self._damaged(force),
            table=table,
            handed=queue_rule.describe() if force.queue == "target" else (),
            queues=waiting,
            receivers=read_receivers(waiting),
            settings=tuple(self._settings(force)),
            beside=tuple((each.name, lower.name) for each, lower in beside(self._made(force).attach, links())),
            **self._seen(force),  # type: ignore[arg-type]
            **trial,  # type: ignore[arg-type]
        )

    def _made(self, force: InForce) -> Blueprint:
        if self._blueprint is None or self._blueprint.force != force:
            known = self._blueprint
            self._blueprint = Blueprint(force, self._state.source(force.chosen.digest))
            if known is not None and known.force.chosen.digest == force.chosen.digest:
                self._blueprint.primed(known.policy)
        return self._blueprint

    def _author(self, force: InForce) -> str:
        """Who put it in force: the newest entry of the journal that says so."""
        done = (Outcome.DONE, Outcome.ON_TRIAL)
        entries = [each for each in self._state.journal.entries() if each.policy == force.chosen.digest]
        return next((str(each.author) for each in reversed(entries) if each.outcome in done and each.action != "confirm"), "")

    def _damaged(self, force: InForce) -> bool:
        """Listed again only if anybody has changed any ruleset since."""
        if not force.fingerprint or force.version == self._kernel.ruleset_version():
            return False
        return force.fingerprint != self._kernel.fingerprint()

    def _settings(self, force: InForce) -> Iterator[Differing]:
        for setting in self._made(force).settings:
            value = sysctl.read(setting.name)
            if value is not None and value != setting.value:
                yield Differing(setting, value)

    def _seen(self, force: InForce) -> dict[str, object]:
        """Interfaces and counters, which come from the same places."""
        blueprint = self._made(force)
        tables = [read_counts(nft.listing(RULESET))]
        if blueprint.attach.mode is Mode.BRIDGE:
            tables.append(read_counts(nft.listing(BRIDGE_RULESET)))
        away = {each.link.name: each for each in moved(blueprint.attach, links(), force.homes)}
        if force.way == "xdp":
            interfaces, counters = _programs(blueprint)
            return {
                "interfaces": _placed(interfaces, away),
                "counted": count(blueprint.policy, counters, tables),
            }
        own = Table("netdev", table_name(force.generation))
        tables.append(read_counts(nft.listing(own)))
        return {"interfaces": _placed(_devices(blueprint, own), away), "counted": count(blueprint.policy, None, tables)}


def _programs(target: Blueprint) -> tuple[tuple[Interface, ...], XdpCounters | None]:
    """The target's program on its interfaces, and what it has counted."""
    there = {each.name: each for each in links()}
    found: list[Interface] = []
    counters: XdpCounters | None = None
    with ExitStack() as stack:
        for name in target.attach.interfaces:
            stage = _stage(there.get(name))
            if stage is None:
                found.append(Interface(name, name in there, ""))
                continue
            stack.enter_context(stage)
            own = carries(stage, target)
            mode = there[name].xdp[0].mode.value
            found.append(Interface(name, present=True, way=f"xdp {mode}" if own else "", stamped=has_stamp(there[name].index)))
            if own and counters is None:
                counters = stage.counters()
    return tuple(found), counters


def _placed(interfaces: tuple[Interface, ...], away: Mapping[str, Moved]) -> tuple[Interface, ...]:
    return tuple(replace(each, moved=away.get(each.name)) for each in interfaces)


def _stage(link: Link | None) -> XdpStage | None:
    try:
        return XdpStage.of(link.name) if link is not None and link.xdp else None
    except EnforcementError:
        return None  # somebody else's program


def _devices(target: Blueprint, table: Table) -> tuple[Interface, ...]:
    """The interfaces that the netdev table hangs on."""
    there = {each.name for each in links()}
    ways = dict.fromkeys(hooked_devices(table, "ingress") & there, "nft")
    return tuple(Interface(name, name in there, ways.get(name, "")) for name in target.attach.interfaces)


def _table_fill() -> TableFill | None:
    """How full the connection table is; None where the kernel has no tracker."""
    try:
        with ConnectionTable() as table:
            return table.fill()
    except EnforcementError:
        return None


def read_receivers(queues: Iterable[QueueFill]) -> Receivers:
    """Who receives the queues and the log groups of this network namespace."""
    groups = receivers(GROUPS)
    seen = processes_of({*groups.values(), *(each.receiver for each in queues)})
    return Receivers(
        logs={number: seen.get(address, UNSEEN) for number, address in groups.items()},
        queues={each.number: seen.get(each.receiver, UNSEEN) for each in queues},
    )
