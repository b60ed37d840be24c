"""Whether a policy would let an SSH connection live, such as the one that a command was typed on.

The connection's packets are asked of the engine, as the kernel will ask them: the tracker knows the connection, the policy does
not yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from twinwall.compile.policy import CompiledPolicy, compile_policy
from twinwall.conntrack.entry import E_CACHE_O, E_CANDIDATE_R, ENTRY_BYTES
from twinwall.conntrack.header import H_ENTRIES
from twinwall.enforce.session import Session, interface_of
from twinwall.engine.conversation import Conversation
from twinwall.engine.engine import Engine
from twinwall.engine.machine import InterpretedMachine
from twinwall.engine.recorder import OneFrame
from twinwall.engine.spoken import SpokenPacket
from twinwall.engine.spoken_frame import encode
from twinwall.engine.wording import REASONS, rule_words
from twinwall.path.layout import NO_RULE
from twinwall.path.reason import StageName, Verdict
from twinwall.policy.model import Mode, Policy, StatefulStage, StatelessStage

START = 1_000_000_000 * 1_000_000_000  # the conversation's clock starts here: nanoseconds since 1970
TABLE = 64  # connections that the engine has room for: there is one
OPENING = ("S", "< S.", "> .")
DATA = ("> P. len 64", "< P. len 64", "> .")


@dataclass(frozen=True)
class Refusal:
    """What the policy refuses: packets of this session (`cuts`), or only those that would open another like it."""

    session: Session
    cuts: bool
    packet: str
    why: str


def judge_all(policy: Policy, compiled: CompiledPolicy, sessions: Iterable[Session]) -> Refusal | None:
    """The worst that the policy refuses of any session: one that is cut, before one that could not be opened again."""
    found: Refusal | None = None
    for session in sessions:
        refusal = judge(policy, compiled, session, interface_of(session))
        if refusal is not None and refusal.cuts:
            return refusal
        found = found or refusal
    return found


def judge(policy: Policy, compiled: CompiledPolicy, session: Session, interface: str = "") -> Refusal | None:
    """What the policy refuses of the session; None if nothing.  `interface`: where the client's packets come in, if known.

    On a gateway or a bridge the connection is the machine's own: only the stateless stage meets it, only in the client's
    packets, and only on attached interfaces.  On a host both stages meet both sides.
    """
    attach = policy.attach
    if attach is None or (interface and interface not in attach.interfaces):
        return None
    judged = replace(policy, tracking=replace(policy.tracking, connections=TABLE, flows=policy.flows))
    rig = _Rig(judged, session, interface, whole=attach.mode is Mode.HOST)
    handed_over = Engine(judged, compiled, InterpretedMachine())
    _hand_over(rig.opened(), handed_over)
    cut = rig.first_refused(handed_over, rig.data)
    if cut is not None:
        return Refusal(session, True, *cut)
    fresh = rig.first_refused(Engine(judged, compiled, InterpretedMachine()), (*rig.opening, *rig.data))
    return Refusal(session, False, *fresh) if fresh is not None else None


class _Rig:
    """The session's packets, and an engine's answers to them.  `whole`: both stages and both sides count."""

    def __init__(self, policy: Policy, session: Session, interface: str, *, whole: bool) -> None:
        conversation = Conversation()
        said = [conversation.say(f"tcp {session} {OPENING[0]}")]
        said += [conversation.say(text) for text in (*OPENING[1:], *DATA)]
        sides = [replace(each, interface=interface) if each.source == said[0].source else each for each in said]
        self.opening, self.data = tuple(sides[: len(OPENING)]), tuple(sides[len(OPENING) :])
        self.policy = policy
        self._whole = whole
        self._now = START

    def opened(self) -> Engine:
        """An engine without rules that has seen the connection being opened and used."""
        empty = replace(self.policy, stateless=StatelessStage(), stateful=StatefulStage())
        engine = Engine(empty, compile_policy(empty), InterpretedMachine())
        for packet in (*self.opening, *self.data):
            self._feed(engine, packet)
        return engine

    def first_refused(self, engine: Engine, packets: tuple[SpokenPacket, ...]) -> tuple[str, str] | None:
        """The first packet that is refused, and why."""
        for packet in packets:
            why = self._feed(engine, packet)
            if why and (self._whole or packet.source == self.opening[0].source):
                return packet.headline(), why
        return None

    def _feed(self, engine: Engine, packet: SpokenPacket) -> str:
        """Why a packet is refused; empty if it is not."""
        self._now += packet.after
        frame = encode(packet)
        engine.feed(OneFrame.of(frame.data, frame.link, self._now, packet.interface))
        decision = engine.take().decisions[0]
        stage, verdict = int(decision["stage"]), int(decision["verdict"])
        if verdict == Verdict.PASS or not (self._whole or stage == StageName.STATELESS):
            return ""
        rule = engine.rules.rule(stage, int(decision["rule"])) if int(decision["rule"]) != NO_RULE else None
        if rule is not None:
            return f"rule {rule_words(rule)}"
        return REASONS[int(decision["reason"])].explanation


def _hand_over(before: Engine, after: Engine) -> None:
    """Let `after` know the connections of `before` as the kernel does across a change: tracked, not yet judged."""
    after.connections.words[:] = before.connections.words
    entries = after.connections.entries()
    for name in ("rule", "verdict", "scope_seen", "alerts"):
        entries[name] = 0
    words = after.connections.words[int(after.connections.words[H_ENTRIES]) // 8 :]
    rows = words[: len(entries) * after.connections.entry_bytes // 8].reshape(len(entries), -1)
    rows[:, E_CACHE_O : E_CANDIDATE_R + 1] = 0
    rows[:, ENTRY_BYTES // 8 :] = np.uint64(0)
