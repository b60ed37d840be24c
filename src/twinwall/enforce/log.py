"""What the kernel reports, as EVE lines: rules that match (NFLOG), connections that end (conntrack events).

What was lost on the way because nobody read in time is a record of its own (`engine`, as Suricata's), so that whoever reads
the log knows that it is not complete.
"""

from __future__ import annotations

import select
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from typing import Self

from twinwall.conntrack.entry import END_NONE, ST_ASSURED, ST_SEEN_REPLY
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.enforce.rulebook import Rules
from twinwall.engine.machine import Machine, NativeMachine
from twinwall.events.known_flow import KnownFlow, flow_event, known_flow_id
from twinwall.events.packet import JsonObject
from twinwall.events.reported import DECODING, INTERPRETED, Report, report_records
from twinwall.events.rows import FlowRow
from twinwall.events.timestamp import eve_time
from twinwall.live.connection import ConntrackEntry, Status
from twinwall.live.conntrack import ConntrackEvents, EventKind
from twinwall.live.nflog import LoggedPacket, LogGroup
from twinwall.path.flow_state import FLOW_DROP, FLOW_PASS
from twinwall.path.layout import TCP
from twinwall.policy.model import Attach

REMEMBERED = 65_536  # flows with alerts of which the end has not been seen
FLOW_VERDICTS = {"pass": FLOW_PASS, "drop": FLOW_DROP, "": 0}
GATHER = 1  # hundredths of a second that a packet may wait for others: records stand in time order but for that
GLANCE = 500  # milliseconds after which it is looked whether another policy is in force


class EventLog:
    """The events of this network namespace.  A context manager.

    `beginnings`: also a record when a connection begins.  `machine` decodes packets (`decoding_machine`).
    """

    def __init__(
        self,
        rules: Rules,
        *,
        beginnings: bool = False,
        machine: Machine = INTERPRETED,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._rules = rules
        self._machine = machine
        self._beginnings = beginnings
        self._clock = clock
        self._alerted: OrderedDict[int, None] = OrderedDict()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._connections = stack.enter_context(ConntrackEvents((1, 3) if self._beginnings else (3,)))
            self._group = LogGroup(self._wanted_group(), gather=GATHER)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._group.close()
        self._stack.close()

    def records(self, timeout: int = GLANCE) -> list[JsonObject]:
        """Wait for events, `timeout` milliseconds at most, and return the records of those that came.

        Raises `EnforcementError`.
        """
        self._follow_policy()
        poll = select.poll()
        poll.register(self._group, select.POLLIN)
        poll.register(self._connections, select.POLLIN)
        poll.poll(timeout)
        return [*self._reports(), *self._flows()]

    def _follow_policy(self) -> None:
        self._rules.refresh()
        wanted = self._wanted_group()
        if wanted != self._group.group:
            self._group.close()
            self._group = LogGroup(wanted, gather=GATHER)

    def _wanted_group(self) -> int:
        return (self._rules.book.attach or Attach()).log_group

    def _reports(self) -> Iterator[JsonObject]:
        packets, lost = self._group.receive()
        if lost:
            yield self._lost(f"{lost} packets that rules reported were lost: they came faster than they were read")
        self._rules.refresh()
        names = {index: interface_name(index) for index in {packet.inside for packet in packets}}
        reports = [self._report(packet, names[packet.inside]) for packet in packets]
        for record in report_records(reports, self._rules.rule, self._machine):
            self._remember(record)
            yield record

    def _report(self, packet: LoggedPacket, interface: str) -> Report:
        when = packet.timestamp or self._clock()
        return Report(packet.packet, packet.mark, when, interface, generation_of(packet.prefix))

    def _remember(self, record: JsonObject) -> None:
        if "flow_id" in record:
            self._alerted[record["flow_id"]] = None
            self._alerted.move_to_end(record["flow_id"])
        if len(self._alerted) > REMEMBERED:
            self._alerted.popitem(last=False)

    def _flows(self) -> Iterator[JsonObject]:
        events, lost = self._connections.receive()
        if lost:
            yield self._lost("records of connections were lost: they ended faster than they were read")
        for kind, entry in events:
            row = flow_row(entry, self._clock())
            ended = kind is EventKind.DESTROY
            known = known_flow_id(row)
            alerted = known in self._alerted
            if ended:
                self._alerted.pop(known, None)
            yield flow_event(KnownFlow(row, ended, entry.original_counters is not None, entry.state != "", alerted))

    def _lost(self, message: str) -> JsonObject:
        now = eve_time(self._clock())
        return {"timestamp": now, "log_level": "Warning", "event_type": "engine", "engine": {"message": message}}


def decoding_machine(announce: Callable[[], None] | None = None) -> Machine:
    """Who decodes the packets of a log: the processor, several times as fast as CPython, if that has been compiled.

    With `announce`, called before it begins, it is compiled now if it has not been: some seconds, once on each machine.
    """
    from twinwall.targets import native  # noqa: PLC0415 - a log of few packets does without LLVM if nothing is compiled

    if announce is None and not native.is_compiled(DECODING):
        return INTERPRETED
    return NativeMachine(announce, DECODING)


@lru_cache(maxsize=64)
def generation_of(prefix: str) -> int:
    """The generation in a prefix of the ruleset, `twinwall GENERATION`; 0 for any other prefix."""
    generation = prefix.rpartition(" ")[2]
    return int(generation) if generation.isdecimal() else 0


def interface_name(index: int) -> str:
    """The name of an interface of this network namespace; its number if it has gone, nothing for 0."""
    try:
        return socket.if_indextoname(index) if index else ""
    except OSError:
        return str(index)


def flow_row(entry: ConntrackEntry, now: int) -> FlowRow:
    """A connection as the row that records are made of; what the kernel does not tell is 0."""
    seen = entry.seen
    source, destination = int.from_bytes(seen.source), int.from_bytes(seen.destination)
    sent, back = entry.original_counters, entry.reply_counters
    status = ST_SEEN_REPLY * bool(entry.status & Status.SEEN_REPLY) | ST_ASSURED * bool(entry.status & Status.ASSURED)
    known = dict.fromkeys(FlowRow._fields, 0) | {
        "src_hi": source >> 64,
        "src_lo": source & 0xFFFFFFFFFFFFFFFF,
        "dst_hi": destination >> 64,
        "dst_lo": destination & 0xFFFFFFFFFFFFFFFF,
        "sport": seen.source_port,
        "dport": seen.destination_port,
        "proto": seen.protocol,
        "version": seen.version,
        "state": TcpState[entry.state] if seen.protocol == TCP and entry.state in TcpState.__members__ else 0,
        "status": status,
        "o_packets": sent.packets if sent else 0,
        "o_bytes": sent.bytes if sent else 0,
        "r_packets": back.packets if back else 0,
        "r_bytes": back.bytes if back else 0,
        "start": entry.start or 0,
        "last_seen": entry.stop or now,
        "verdict": FLOW_VERDICTS[entry.verdict],
        "end_reason": END_NONE,
    }
    return FlowRow(**known)
