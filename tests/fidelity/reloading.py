"""What a change of policy in the middle of conversations is expected to do, as two runs of replay over one connection table.

Replay runs one policy.  So the first run's table is handed to the second one, with what docs/design/enforcement.md ("Changing a
policy") says a policy leaves to the next: connections, as the tracker has them, flow bits by their names, and of TCP what the
ruleset's two bits know of the handshake, unless a verdict on the flow was written over them; no verdict, no note that rules
were asked.  A connection's first packet under the new policy is judged in three steps more than others, which stand here and
are put in front of the rules:

- an error about it is dropped (with `--keep` there is none: a connection that the first policy has not dropped just passes);
- it is established if the tracker calls it ASSURED by now;
- if it is of the reply direction, the rules that cover flows are asked with the original direction's addresses first.

The second run is interpreted, because a step in front of the rules is no part of the compiled path.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.engine.runs import START, batch_of
from tests.fidelity.gateway import ethernet
from tests.fidelity.replayed import INTERFACES, NUMBERS, STEP, Replayed, answers_of
from twinwall.compile.conditions import accepted_values
from twinwall.compile.policy import compile_policy
from twinwall.conntrack import header as h
from twinwall.conntrack.entry import (
    E_BITS,
    E_CACHE_O,
    E_KEY,
    E_O_START,
    E_STATUS,
    E_VERDICT,
    ENTRY_WORDS,
    ST_ASSURED,
    ST_ESTABLISHED,
    ST_HALF_OPEN,
)
from twinwall.engine import pipeline
from twinwall.engine.engine import Engine
from twinwall.engine.machine import InterpretedMachine, NativeMachine
from twinwall.path import evaluate as rules_of_path
from twinwall.path.flow_state import E_FLOW_ID, FLOW_DROP, FLOW_OPEN, FLOW_PASS, TRACK_ESTABLISHED
from twinwall.path.layout import NO_RULE, SCTP, TCP, UDP, UDPLITE
from twinwall.path.primitives import get, put
from twinwall.path.reason import CtState, Direction, Reason, Verdict
from twinwall.policy.model import Action, PacketField, RuleType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fidelity.traffic import Sent
    from twinwall.path.primitives import Address
    from twinwall.policy.model import Policy, Rule
    from twinwall.policy.sets import AddressSet, PortSet

LEARNT = ST_HALF_OPEN | ST_ESTABLISHED
KEPT = slice(h.H_LIVE, h.H_FLOWS + 1)  # of a table's header; the rest are settings and counters
IP_VERSIONS, PROTOCOLS = 7, 256
WITH_PORTS = frozenset({TCP, UDP, UDPLITE, SCTP})


def replay_change(
    before: Policy, after: Policy, sent: Sequence[Sent], at: int, *, keep: bool = False
) -> tuple[Replayed, Replayed]:
    """The first `at` packets under one policy, the others under the next.  `keep`: connections that were not dropped pass."""
    first = _Run(before, NativeMachine())
    first.feed(sent[:at], 0)
    second = _Run(after, InterpretedMachine())
    stale = _Stale(after, _hand_over(first, second), _dropped(first) if keep else None)
    with stale.in_front_of_the_rules():
        second.feed(sent[at:], at)
        replayed = second.replayed()
    for packet in stale.errors:
        answer = replayed.answers[packet]
        replayed.answers[packet] = answer._replace(reason="")
    return first.replayed(), replayed


class _Run:
    """An engine, and what it is fed."""

    def __init__(self, policy: Policy, machine: NativeMachine | InterpretedMachine) -> None:
        self._compiled = compile_policy(policy)
        self.flowbits = policy.flowbits
        self.engine = Engine(policy, self._compiled, machine)

    def feed(self, sent: Sequence[Sent], number: int) -> None:
        frames = [ethernet(each.link, each.packet) for each in sent]
        times = [START + STEP * (number + at) for at in range(len(frames))]
        batch = batch_of(frames, times, interface=[NUMBERS[each.link] for each in sent])
        batch.interfaces = INTERFACES
        self.engine.feed(batch)

    def replayed(self) -> Replayed:
        self.engine.finish()
        return answers_of(self.engine.take(), len(self._compiled.stateless.rules))


def _hand_over(first: _Run, second: _Run) -> set[int]:
    """Copy the connections; the flows that there are."""
    old, new = first.engine.connections, second.engine.connections
    same = [(first.flowbits.index(name), number) for number, name in enumerate(second.flowbits) if name in first.flowbits]
    new.words[KEPT] = old.words[KEPT]
    buckets = slice(int(old.words[h.H_BUCKETS]) // 8, int(old.words[h.H_ENTRIES]) // 8)
    new.words[buckets] = old.words[buckets]
    for number in range(old.used):
        source, target = (int(each.words[h.H_ENTRIES]) // 8 + number * each.entry_bytes // 8 for each in (old, new))
        entry = new.words[target : target + ENTRY_WORDS]
        entry[:] = old.words[source : source + ENTRY_WORDS]
        if int(entry[E_VERDICT]) >> 32 & 0xFF:  # which was written over the two bits
            entry[E_STATUS] = int(entry[E_STATUS]) & (LEARNT ^ 0xFFFFFFFF)
        entry[E_VERDICT] = 0
        entry[E_CACHE_O:E_O_START] = 0
        for before, after in same:  # a flow bit is its name
            if int(old.words[source + E_BITS + before // 64]) >> before % 64 & 1:
                new.words[target + E_BITS + after // 64] |= np.uint64(1 << after % 64)
    return {int(each) for each in new.live()["flow_id"]}


def _dropped(run: _Run) -> set[int]:
    """The flows with a verdict against them."""
    return {int(each["flow_id"]) for each in run.engine.connections.live() if each["verdict"] not in (FLOW_OPEN, FLOW_PASS)}


class _Stale:
    """The flows that the new policy has not judged."""

    def __init__(self, policy: Policy, flows: set[int], dropped: set[int] | None) -> None:
        """`dropped`: those that do not live on; None: none does."""
        self._kept = flows - dropped if dropped is not None else set()
        self._flows = flows - self._kept
        self._rules = [
            (place, rule)
            for place, rule in enumerate(policy.stateful.rules)
            if rule.type is not RuleType.PACKET and rule.action is not Action.ALERT and _is_plain(rule)
        ]
        self.errors: list[int] = []  # packets, by their place in the run

    @contextlib.contextmanager
    def in_front_of_the_rules(self) -> Iterator[None]:
        """Let the interpreted pipeline ask here before it asks the rules."""
        asked, follow = pipeline.evaluate, pipeline.follow
        number = 0

        def following(packet: Address, end: Address, record: Address, decision: Address, *more: Address) -> int:
            nonlocal number
            number = get(decision, pipeline.D_PACKET) - 1
            return follow(packet, end, record, decision, *more)

        def judged(rules: Address, record: Address, entry: Address, tracked: int, alerts: Address) -> int:
            if tracked >> 32 and get(entry, E_FLOW_ID) in self._kept:
                return Verdict.PASS | Reason.FLOW_PASS << 8 | NO_RULE << 32
            if tracked >> 32 and get(entry, E_FLOW_ID) in self._flows:
                if tracked & 0xFF == CtState.RELATED:
                    self.errors.append(number)
                    return Verdict.DROP | Reason.RULE << 8 | NO_RULE << 32
                self._flows.discard(get(entry, E_FLOW_ID))
                tracked |= self._first_packet(entry, tracked)
                if ((get(entry, E_VERDICT) >> 32) & 0xFF) != 0:
                    return rules_of_path.settled(record, get(entry, E_VERDICT))
            return asked(rules, record, entry, tracked, alerts)

        pipeline.evaluate, pipeline.follow = judged, following
        try:
            yield
        finally:
            pipeline.evaluate, pipeline.follow = asked, follow

    def _first_packet(self, entry: Address, tracked: int) -> int:
        """What a flow's first packet under the new policy does; marks to add to its label."""
        protocol = (get(entry, E_KEY) >> 32) & 0xFF
        if (tracked >> 8) & 0xFF == Direction.REPLY:
            self._ask_about_the_original_direction(entry, protocol)
        if protocol != TCP or not get(entry, E_STATUS) & ST_ASSURED:
            return 0
        put(entry, E_STATUS, get(entry, E_STATUS) | ST_ESTABLISHED)
        return TRACK_ESTABLISHED

    def _ask_about_the_original_direction(self, entry: Address, protocol: int) -> None:
        key = get(entry, E_KEY)
        version = (key >> 40) & 0xFF
        ports = (key & 0xFFFF, (key >> 16) & 0xFFFF) if protocol in WITH_PORTS else (None, None)
        ends = [_End(_address(entry, word, version), port) for word, port in zip((0, 2), ports, strict=True)]
        for place, rule in self._rules:
            if _fits(rule, version, protocol, ends):
                verdict = FLOW_PASS if rule.action is Action.PASS else FLOW_DROP
                put(entry, E_VERDICT, verdict << 32 | place)
                return


class _End(NamedTuple):
    """An address as an integer, and a port, if the protocol has ports."""

    address: int
    port: int | None


def _is_plain(rule: Rule) -> bool:
    """Whether the rule asks for addresses, ports and protocol only."""
    return {each.field for each in rule.conditions} <= {PacketField.IP_VERSION, PacketField.PROTOCOL}


def _fits(rule: Rule, version: int, protocol: int, ends: list[_End]) -> bool:
    """Whether the rule is about a packet from the first end to the second."""
    if rule.protocols is not None and protocol not in rule.protocols:
        return False
    if not accepted_values(rule.conditions, PacketField.IP_VERSION, IP_VERSIONS)[version]:
        return False
    if not accepted_values(rule.conditions, PacketField.PROTOCOL, PROTOCOLS)[protocol]:
        return False
    sides = ((rule.source, rule.source_ports), (rule.destination, rule.destination_ports))
    ways = [ends, ends[::-1]][: 1 + rule.bidirectional]
    return any(all(_is_in(*side, version, end) for side, end in zip(sides, way, strict=True)) for way in ways)


def _is_in(addresses: AddressSet, ports: PortSet, version: int, end: _End) -> bool:
    known = ports.is_any or (end.port is not None and ports.contains(end.port))
    return known and addresses.contains(version, end.address)


def _address(entry: Address, word: int, version: int) -> int:
    """An address of an entry, as an integer."""
    return get(entry, word) << 64 | get(entry, word + 1) if version == 6 else get(entry, word + 1)
