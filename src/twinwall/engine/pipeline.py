"""The two engines, wired together, in packet-path style: a batch of frames in, a decision for every frame out.

    decode ─ stateless ─ hash │ reassemble ─ track ─ exceptions ─ stateful rules ─ settle

The line is a change of pace: up to `CHUNK` packets go through the first half before the first of them enters the second, and
what the second half will touch of the connection table is fetched meanwhile.  The order of packets is kept in both halves, so
nothing depends on it but time.

Records and decisions live in rings indexed by packet number, because a fragment's decision is known only with its datagram.
"""

from __future__ import annotations

from twinwall.conntrack.chains import bucket_of, entry_at
from twinwall.conntrack.entry import E_FLOW_ID
from twinwall.conntrack.rejected import close_rejected
from twinwall.conntrack.tracker import settle, track_hashed, tuple_hash
from twinwall.engine.decision import (
    D_FLOW_ID,
    D_OUTCOME,
    D_PACKET,
    D_RULE,
    D_TIMESTAMP,
    NOT_TRACKED,
    PENDING,
    RejectReply,
    count_hit,
    decide,
    reply_of,
)
from twinwall.engine.desk import (
    D_ALERT_MARGIN,
    D_ALERTS,
    D_BACKWARDS,
    D_CHECKSUMS,
    D_CLOCK,
    D_EARLIEST,
    D_INTERFACES,
    D_INVALID,
    D_MIDSTREAM,
    D_NOW,
    D_PENDING,
    D_RESOLVED,
    D_RING,
    D_SCRATCH,
    D_SPARE_ENTRY,
    D_STATEFUL_HITS,
    D_STEPS,
    D_WORDS,
    EXCEPT_CONTINUE,
    EXCEPT_REJECT,
)
from twinwall.path.checksum import verify
from twinwall.path.decode import decode
from twinwall.path.details import details
from twinwall.path.evaluate import evaluate
from twinwall.path.flow_state import TRACK_ESTABLISHED, TRACK_FRESH, TRACK_FULL, TRACK_MIDSTREAM
from twinwall.path.judge import judge
from twinwall.path.layout import (
    ALERT_BYTES,
    DECISION_BYTES,
    FRAME_BYTES,
    LINK_RAW,
    MARK_FRAGMENT,
    MARK_REASSEMBLED,
    NO_RULE,
    RECORD_BYTES,
    W_FRAME,
    W_SACK,
    W_STATUS,
)
from twinwall.path.primitives import Address, get, load_u32, note, prefetch, put, table_at
from twinwall.path.reason import CtState, Reason, StageName, Verdict
from twinwall.path.table_layout import ACTION_FORWARD, ACTION_PASS
from twinwall.path.trace import TraceEvent
from twinwall.stream.fragments import (
    COMPLETE,
    EVICT,
    HELD,
    WHOLE,
    datagram_address,
    datagram_length,
    datagram_snapped,
    defragment,
    expire,
    release,
    waiting_count,
    waiting_packet,
)

CHUNK = 32
MASK32 = 0xFFFFFFFF
STATEFUL = StageName.STATEFUL << 8


def run(
    frames: Address,
    count: int,
    buffer: Address,
    first: int,
    records: Address,
    decisions: Address,
    stateless_table: Address,
    stateful_table: Address,
    conntrack: Address,
    fragments: Address,
    alerts: Address,
    desk: Address,
) -> int:
    """Decide `count` frames, of which the first is packet `first` (from 1); how many were, until alerts lacked room."""
    ring = table_at(desk, D_RING)
    done = 0
    while done < count:
        if get(alerts, 0) + table_at(desk, D_ALERT_MARGIN) > table_at(desk, D_ALERTS):
            return done
        stop = done + CHUNK
        if stop > count:
            stop = count
        at = done
        while at < stop:
            row = (first + at) & ring
            record = records + row * RECORD_BYTES
            decision = decisions + row * DECISION_BYTES
            put(decision, D_PACKET, first + at)
            first_half(frames + at * FRAME_BYTES, buffer, record, decision, stateless_table, conntrack, desk)
            at = at + 1
        at = done
        while at < stop:
            row = (first + at) & ring
            if get(decisions + row * DECISION_BYTES, D_OUTCOME) & 0xFF == PENDING:
                prefetch_entry(conntrack, get(decisions + row * DECISION_BYTES, D_FLOW_ID))
            at = at + 1
        at = done
        while at < stop:
            row = (first + at) & ring
            record = records + row * RECORD_BYTES
            decision = decisions + row * DECISION_BYTES
            if get(decision, D_TIMESTAMP) > get(desk, D_NOW):
                put(desk, D_NOW, get(decision, D_TIMESTAMP))
            if get(decision, D_OUTCOME) & 0xFF == PENDING:
                frame = frames + at * FRAME_BYTES
                packet = buffer + get(frame, 0)
                end = packet + (get(frame, 2) & MASK32)
                if get(record, W_STATUS) >> 8 & MARK_FRAGMENT:
                    take_fragment(
                        packet, end, record, decision, records, decisions, stateful_table, conntrack, fragments, alerts, desk
                    )
                else:
                    details(packet, end, record)
                    outcome = follow(packet, end, record, decision, stateful_table, conntrack, alerts, desk)
                    decide(decision, desk, record, get(decision, D_RULE), outcome)
            at = at + 1
        done = stop
    return done


def first_half(
    frame: Address, buffer: Address, record: Address, decision: Address, table: Address, conntrack: Address, desk: Address
) -> int:
    """Decode and judge one frame; what the stateless stage forwards is left PENDING, its hash where the flow will stand."""
    timestamp = get(frame, 1)
    lengths = get(frame, 2)
    tag = get(frame, 3)
    packet = buffer + get(frame, 0)
    end = packet + (lengths & MASK32)
    put(decision, D_TIMESTAMP, timestamp)
    put(decision, D_FLOW_ID, 0)
    if timestamp < get(desk, D_CLOCK):
        put(desk, D_BACKWARDS, get(desk, D_BACKWARDS) + 1)
    else:
        put(desk, D_CLOCK, timestamp)
    if timestamp < get(desk, D_EARLIEST):
        put(desk, D_EARLIEST, timestamp)
    interface = table_at(desk, D_INTERFACES + (tag >> 8 & 0xFF))
    judged = judge(
        packet, end, tag & 0xFF, lengths >> 32, interface, table, record, table_at(desk, D_WORDS), table_at(desk, D_STEPS)
    )
    action = judged & 0xFF
    reason = judged >> 8 & 0xFF
    if table_at(desk, D_CHECKSUMS) and reason >= Reason.STATELESS_RULE:
        wrong = verify(packet, end, record)
        if wrong != 0:
            action = Verdict.DROP
            judged = NO_RULE << 32
            reason = wrong
            put(record, W_STATUS, get(record, W_STATUS) | wrong)
    if action == ACTION_FORWARD:
        hashed = tuple_hash(conntrack, record)
        prefetch(conntrack, bucket_of(conntrack, hashed))
        put(decision, D_FLOW_ID, hashed)
        put(decision, D_OUTCOME, PENDING)
        return 0
    outcome = action | reason << 16 | NOT_TRACKED
    if action == ACTION_PASS and reason != Reason.NOT_IP:
        outcome = outcome | CtState.UNTRACKED << 24
    return decide(decision, desk, record, judged >> 32, outcome)


def prefetch_entry(conntrack: Address, hashed: int) -> int:
    """Fetch the entry at the head of a hash's chain."""
    index = load_u32(conntrack, bucket_of(conntrack, hashed))
    if index != 0:
        entry = entry_at(conntrack, index)
        prefetch(entry, 0)
        prefetch(entry, 64)
        prefetch(entry, 128)
        prefetch(entry, 192)
    return 0


def follow(
    packet: Address,
    end: Address,
    record: Address,
    decision: Address,
    rules: Address,
    conntrack: Address,
    alerts: Address,
    desk: Address,
) -> int:
    """Track one whole packet and ask the stateful rules; leaves flow and rule in `decision` and returns the outcome."""
    now = get(desk, D_NOW)
    tracked = track_hashed(conntrack, packet, end, record, now, get(decision, D_FLOW_ID))
    note(record, TraceEvent.TRACKED, tracked)
    label = tracked & 0xFF
    index = tracked >> 32
    entry = desk + (D_SPARE_ENTRY << 3)
    put(decision, D_FLOW_ID, 0)
    if index != 0:
        entry = entry_at(conntrack, index)
        put(decision, D_FLOW_ID, get(entry, E_FLOW_ID))
    outcome = exception(tracked, record, desk)
    rule = NO_RULE
    if outcome == 0:
        reported = get(alerts, 0)
        found = evaluate(rules, record, entry, tracked, alerts)
        rule = found >> 32
        number_alerts(alerts, reported, get(decision, D_PACKET), rule, record, desk)
        verdict = found & 0xFF
        outcome = verdict | STATEFUL | (found >> 8 & 0xFF) << 16 | (found >> 16 & 0xFF) << 56
        if verdict == Verdict.REJECT:
            outcome = outcome | reply_of(record) << 48
    put(decision, D_RULE, rule)
    if tracked & TRACK_FRESH:
        settle(conntrack, index, 0 if outcome & 0xFF == Verdict.PASS else 1)
    elif index != 0 and outcome & 0xFF == Verdict.REJECT and outcome >> 48 & 0xFF == RejectReply.TCP_RESET:
        close_rejected(conntrack, entry, record, now)
    established = 0
    if tracked & TRACK_ESTABLISHED:
        established = 1
    if index == 0:
        established = 2
    return outcome | label << 24 | (tracked >> 8 & 0xFF) << 32 | established << 40


def number_alerts(alerts: Address, reported: int, packet: int, rule: int, record: Address, desk: Address) -> int:
    """Give the alerts from row `reported` on their packet's number, and their rules, unless `rule` decided, a hit."""
    length = get(record, W_FRAME) & MASK32
    while reported < get(alerts, 0):
        reported = reported + 1
        alert = alerts + reported * ALERT_BYTES
        put(alert, 0, packet)
        matched = get(alert, 2) & MASK32
        if matched != rule:
            count_hit(desk, D_STATEFUL_HITS, matched, length)
    return 0


def exception(tracked: int, record: Address, desk: Address) -> int:
    """The outcome of a packet that the tracker cannot place, where the policy does not let it go on; else 0."""
    if tracked & TRACK_FULL:
        return Verdict.DROP | STATEFUL | Reason.TABLE_FULL << 16
    setting = EXCEPT_CONTINUE
    reason = Reason.INVALID
    if tracked & TRACK_MIDSTREAM:
        setting = table_at(desk, D_MIDSTREAM)
        reason = Reason.MIDSTREAM
    elif tracked & 0xFF == CtState.INVALID:
        setting = table_at(desk, D_INVALID)
    if setting == EXCEPT_CONTINUE:
        return 0
    if setting == EXCEPT_REJECT:
        return Verdict.REJECT | STATEFUL | reason << 16 | reply_of(record) << 48
    return Verdict.DROP | STATEFUL | reason << 16


def take_fragment(
    packet: Address,
    end: Address,
    record: Address,
    decision: Address,
    records: Address,
    decisions: Address,
    rules: Address,
    conntrack: Address,
    fragments: Address,
    alerts: Address,
    desk: Address,
) -> int:
    """Hand a fragment to reassembly; with the last one, every piece gets the datagram's decision."""
    now = get(desk, D_NOW)
    give_up(records, decisions, fragments, desk, now)
    answer = defragment(fragments, packet, end, record, get(decision, D_PACKET), now)
    while answer & 0xFF == EVICT:
        resolve(records, decisions, fragments, desk, answer >> 32, NO_RULE, lost(Reason.FRAGMENT_LIMIT), 0)
        answer = defragment(fragments, packet, end, record, get(decision, D_PACKET), now)
    kind = answer & 0xFF
    slot = answer >> 32
    note(record, TraceEvent.FRAGMENT, kind)
    if kind == HELD:
        put(desk, D_PENDING, get(desk, D_PENDING) + 1)
        return 0
    if kind == WHOLE:
        details(packet, end, record)
        outcome = follow(packet, end, record, decision, rules, conntrack, alerts, desk)
        return decide(decision, desk, record, get(decision, D_RULE), outcome)
    if kind == COMPLETE:
        return take_datagram(record, decision, records, decisions, rules, conntrack, fragments, alerts, desk, slot)
    if slot == 0:
        return decide(decision, desk, record, NO_RULE, lost(answer >> 8 & 0xFF))
    put(desk, D_PENDING, get(desk, D_PENDING) + 1)
    return resolve(records, decisions, fragments, desk, slot, NO_RULE, lost(answer >> 8 & 0xFF), 0)


def lost(reason: int) -> int:
    """The outcome of pieces that never became a datagram."""
    return Verdict.DROP | STATEFUL | reason << 16 | NOT_TRACKED


def take_datagram(
    record: Address,
    decision: Address,
    records: Address,
    decisions: Address,
    rules: Address,
    conntrack: Address,
    fragments: Address,
    alerts: Address,
    desk: Address,
    slot: int,
) -> int:
    """Decode the datagram as a packet of its own, decide it, and give the decision to all pieces."""
    whole = desk + (D_SCRATCH << 3)
    whole_decision = whole + RECORD_BYTES
    packet = datagram_address(fragments, slot)
    length = datagram_length(fragments, slot)
    end = packet + length
    wire = length
    if datagram_snapped(fragments, slot):
        wire = length + 1
    interface = get(record, W_SACK) >> 56
    put(whole_decision, D_PACKET, get(decision, D_PACKET))
    put(whole_decision, D_RULE, NO_RULE)
    reason = decode(packet, end, LINK_RAW, wire, whole)
    outcome = lost(reason)
    flow_id = 0
    if reason == 0:
        put(whole, W_SACK, get(whole, W_SACK) | interface << 56)
        put(whole, W_STATUS, get(whole, W_STATUS) | MARK_REASSEMBLED << 8)
        details(packet, end, whole)
        put(whole_decision, D_FLOW_ID, tuple_hash(conntrack, whole))
        outcome = follow(packet, end, whole, whole_decision, rules, conntrack, alerts, desk)
        flow_id = get(whole_decision, D_FLOW_ID)
    put(desk, D_PENDING, get(desk, D_PENDING) + 1)
    return resolve(records, decisions, fragments, desk, slot, get(whole_decision, D_RULE), outcome, flow_id)


def resolve(
    records: Address,
    decisions: Address,
    fragments: Address,
    desk: Address,
    slot: int,
    rule: int,
    outcome: int,
    flow_id: int,
) -> int:
    """Give every packet that waits for a datagram the same outcome, and let the datagram go."""
    ring = table_at(desk, D_RING)
    waiting = waiting_count(fragments, slot)
    at = 0
    while at < waiting:
        row = waiting_packet(fragments, slot, at) & ring
        decision = decisions + row * DECISION_BYTES
        put(decision, D_FLOW_ID, flow_id)
        decide(decision, desk, records + row * RECORD_BYTES, rule, outcome)
        at = at + 1
    put(desk, D_PENDING, get(desk, D_PENDING) - waiting)
    put(desk, D_RESOLVED, get(desk, D_RESOLVED) + waiting)
    release(fragments, slot)
    return waiting


def give_up(records: Address, decisions: Address, fragments: Address, desk: Address, now: int) -> int:
    """Resolve datagrams whose other pieces did not come in time."""
    slot = expire(fragments, now)
    while slot != 0:
        resolve(records, decisions, fragments, desk, slot, NO_RULE, lost(Reason.FRAGMENT_INCOMPLETE), 0)
        slot = expire(fragments, now)
    return 0
