"""The engine as those who feed it meet it: whole runs, long waits, full tables, and the same answer however it is fed."""

from __future__ import annotations

import gc
import random
import tracemalloc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import packets
from tests.engine.runs import POLICY, SECOND, START, Batch, batch_of, cut, engine_of, policy_of, run
from twinwall.capture import open_captures
from twinwall.conntrack.entry import END_EVICTED, END_SHUTDOWN
from twinwall.engine.engine import ALERT_ROOM, BATCH, HELD_BYTES, RING, Settings
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Flows, Overlap, Tracking

OFFICE = Path(__file__).parents[2] / "examples" / "office"
QUERY = packets.ethernet(packets.ipv4(packets.udp(1000, 53, b"x"), 17), 0x0800)
PIECE = packets.ethernet(packets.ipv4(packets.udp(1, 2, bytes(24)), 17, frag=0x2000), 0x0800)
LAST_PIECE = packets.ethernet(packets.ipv4(bytes(8), 17, frag=4), 0x0800)


def flow(number: int, *, flags: int = 2) -> bytes:
    """A TCP packet of a flow of its own."""
    source = bytes([10, 20, number >> 16 & 255, number >> 8 & 255])
    return packets.ethernet(packets.ipv4(packets.tcp(1024 + (number & 255), 443, flags), 6, source), 0x0800)


def hostile(seed: int, count: int) -> Batch:
    """Frames of every kind, some cut by the capture, some with lengths or links that lie, at times that run back and forth."""
    rng = random.Random(seed)
    frames = list(packets.frames(seed, count))
    steps = [rng.choice([0, 1, 1000, SECOND // 10, SECOND, -SECOND, 40 * SECOND]) for _ in frames]
    batch = batch_of(frames, np.cumsum(steps) + START)
    for row in batch.frames:
        if rng.random() < 0.1:
            row["captured_length"] = rng.randrange(int(row["captured_length"]) + 1)
        if rng.random() < 0.05:
            row["wire_length"] = rng.choice([0, 1, 70_000, 2**32 - 1, int(row["captured_length"])])
        if rng.random() < 0.03:
            row["link"] = rng.randrange(8)
    return batch


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("overlap", "flows"), [(Overlap.DISCARD, Flows.RULES), (Overlap.LAST, Flows.RULES), (Overlap.DISCARD, Flows.LINUX)]
)
def test_interpreted_and_native_agree_to_the_last_bit(seed, overlap, flows):
    policy = replace(policy_of(), tracking=Tracking(overlap=overlap, connections=40, datagrams=3, flows=flows))
    batches = cut(hostile(seed, 800), 300)
    options = {"settings": Settings(checksums=seed == 3)}
    native = run(engine_of(policy, **options), batches)
    assert native.differences(run(engine_of(policy, native=False, **options), batches)) == []
    assert len(native.alerts) > 0 or seed == 3


def test_the_example_s_capture_is_decided_alike_by_both():
    policy = policy_of((OFFICE / "policy.yaml").read_text())
    batches = list(open_captures([OFFICE / "traffic.pcapng"]))
    batches = [Batch(each.buffer, each.frames[:2500], each.interfaces) for each in batches[:1]]
    assert run(engine_of(policy), batches).differences(run(engine_of(policy, native=False), batches)) == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_size_of_batches_changes_nothing(size):
    batch = hostile(11, 3000)
    whole = run(engine_of(), [batch])
    assert whole.differences(run(engine_of(), cut(batch, size)), ended=False) == []


def test_two_runs_and_two_engines_side_by_side_are_the_same():
    batches = cut(hostile(12, 2000), 500)
    alone = run(engine_of(), batches)
    first, second = engine_of(), engine_of(policy_of(POLICY.replace("drop ip any any", "reject ip any any")))
    taken = []
    for batch in batches:
        first.feed(batch)
        second.feed(batch)
        taken.append(first.take().decisions)
        second.take()
    first.finish()
    taken.append(first.take().decisions)
    assert np.concatenate(taken).tobytes() == alone.decisions.tobytes()
    assert alone.differences(run(engine_of(), batches)) == []


def test_a_packet_waits_for_its_datagram_and_holds_back_those_behind_it():
    engine = engine_of()
    engine.feed(batch_of([QUERY, PIECE, QUERY], START))
    first = engine.take()
    assert first.decisions["packet"].tolist() == [1]
    engine.feed(batch_of([QUERY, LAST_PIECE, QUERY], START + 1))
    second = engine.take()
    assert second.decisions["packet"].tolist() == [2, 3, 4, 5, 6]
    assert second.decisions["flow_id"][0] == second.decisions["flow_id"][3] != 0
    assert [second.frame_bytes(row) for row in range(5)] == [PIECE, QUERY, QUERY, LAST_PIECE, QUERY]
    assert engine._held == []


def test_a_datagram_that_never_ends_is_given_up_when_its_time_comes_or_the_run_ends():
    engine = engine_of()
    engine.feed(batch_of([PIECE, QUERY], [START, START + 31 * SECOND]))
    assert engine.take().decisions["reason"].tolist()[0] == Reason.FRAGMENT_INCOMPLETE
    engine.feed(batch_of([PIECE], START + 40 * SECOND))
    assert len(engine.take()) == 0
    engine.finish()
    assert engine.take().decisions["reason"].tolist() == [Reason.FRAGMENT_INCOMPLETE]


def test_waiting_never_fills_the_ring():
    engine = engine_of()
    batches = [batch_of([QUERY] * BATCH, START) for _ in range(RING // BATCH + 2)]
    batches[0] = batch_of([PIECE] + [QUERY] * (BATCH - 1), START)
    sizes, numbers = [], []
    for batch in batches:
        engine.feed(batch)
        taken = engine.take()
        sizes.append(len(taken))
        numbers += taken.decisions["packet"].tolist()
    assert sizes[0] == 0
    assert max(sizes) <= RING
    assert numbers == list(range(1, len(batches) * BATCH + 1))
    assert engine.counters.outcomes[1, Reason.FRAGMENT_INCOMPLETE, Verdict.DROP, 0] == 1


def test_waiting_never_holds_more_capture_than_stated():
    engine = engine_of()
    size = HELD_BYTES // 8
    held = []
    for turn in range(20):
        frames = batch_of([PIECE if turn == 0 else QUERY], START)
        buffer = np.zeros(size, np.uint8)
        buffer[: len(frames.buffer)] = frames.buffer
        engine.feed(Batch(buffer, frames.frames, {}))
        engine.take()
        held.append(engine._held_bytes())
    assert max(held) <= HELD_BYTES + 2 * size
    assert held[-1] == 0


def test_a_batch_is_let_go_once_its_decisions_are_taken():
    engine = engine_of()
    batch = batch_of([QUERY] * 10, START)
    alive = weakref.ref(batch.buffer)
    engine.feed(batch)
    del batch
    taken = engine.take()
    assert alive() is not None
    del taken
    gc.collect()
    assert alive() is None


def test_decisions_that_nobody_takes_are_an_error_not_an_overwrite():
    engine = engine_of()
    with pytest.raises(ValueError, match="not taken"):
        engine.feed(batch_of([QUERY] * (RING + 1), START))
    engine.feed(batch_of([QUERY] * RING, START))
    with pytest.raises(ValueError, match="not taken"):
        engine.feed(batch_of([QUERY], START))
    assert engine.take().decisions["packet"].tolist() == list(range(1, RING + 1))
    engine.feed(batch_of([QUERY], START))


LOUD = """
twinwall: 1
stateful:
  order: strict
  default: [drop_strict]
  rules: |
""" + "\n".join(f"    alert udp any any -> any any (dsize:>0; sid:{number};)" for number in range(1, 21))


def test_more_alerts_than_the_buffer_holds_are_all_reported():
    engine = engine_of(policy_of(LOUD))
    total = ALERT_ROOM // 15 + 3 * BATCH
    found = run(engine, cut(batch_of([QUERY] * total, START), BATCH))
    assert len(found.alerts) == 15 * total > ALERT_ROOM
    assert np.array_equal(found.alerts["packet"], np.repeat(np.arange(1, total + 1), 15))


def test_without_decisions_kept_counters_are_the_same_and_nothing_grows():
    batch = hostile(13, 1500)
    kept, silent = engine_of(), engine_of(keep=False)
    for each in cut(batch, 500):
        kept.feed(each)
        kept.take()
        silent.feed(each)
    assert silent.desk.tobytes() == kept.desk.tobytes()
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(12):
            silent.feed(batch)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[4] < 20_000
    assert silent._held == silent._alerts_due == silent._flows_due == []


def test_a_full_table_evicts_what_is_not_assured_and_says_so():
    policy = replace(policy_of(), tracking=Tracking(connections=100))
    engine = engine_of(policy)
    found = run(engine, [batch_of([flow(number << 8) for number in range(2000)], START)])
    ended = found.flows["end_reason"]
    assert np.count_nonzero(ended == END_EVICTED) > 1500
    assert np.count_nonzero(ended == END_SHUTDOWN) == engine.connections.count <= 100
    full = found.decisions["reason"] == Reason.TABLE_FULL
    assert len(ended) + np.count_nonzero(full) == 2000


def test_more_flows_than_one_batch_can_end_are_all_reported():
    times = np.repeat(START + np.arange(40, dtype=np.uint64) * 1000 * SECOND, BATCH // 8)
    frames = [flow((number % (BATCH // 8)) << 8 | number % 7) for number in range(len(times))]
    engine = engine_of()
    found = run(engine, cut(batch_of(frames, times), BATCH))
    assert len(np.unique(found.flows["flow_id"])) == len(found.flows)
    assert set(found.decisions["flow_id"].tolist()) == set(found.flows["flow_id"].tolist())


def test_interfaces_are_the_capture_s_by_name_whatever_their_number():
    policy = policy_of("""
twinwall: 1
stateless:
  default: pass
  rules: |
    drop ip any any -> any any (interface:lan0; sid:1;)
""")
    engine = engine_of(policy)
    verdicts = []
    for names in ({1: "wan0", 2: "lan0"}, {1: "lan0", 2: "wan0"}):
        batch = batch_of([QUERY] * 3, START, interface=[0, 1, 2])
        batch.interfaces.update(names)
        engine.feed(batch)
        verdicts += engine.take().decisions["verdict"].tolist()
    assert verdicts == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("length", [0, 1, 13, 14, 65_535, 262_144])
@pytest.mark.parametrize("link", range(8))
def test_frames_of_any_length_and_link_have_a_decision(length, link):
    frame = (QUERY + bytes(262_144))[:length]
    batch = batch_of([frame, QUERY], START, link=link)
    native = run(engine_of(), [batch])
    assert native.decisions["packet"].tolist() == [1, 2]
    assert native.differences(run(engine_of(native=False), [batch])) == []


def test_an_empty_batch_and_an_empty_run_are_fine():
    engine = engine_of()
    engine.feed(batch_of([], []))
    assert len(engine.take()) == 0
    found = run(engine, [])
    assert (len(found.decisions), engine.counters.first, engine.counters.last) == (0, None, None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 2**63), st.integers(0, 7)), max_size=12))
def test_any_bytes_at_any_time_are_decided_alike(rows):
    batch = batch_of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    native = run(engine_of(), [batch])
    assert native.differences(run(engine_of(native=False), [batch])) == []
    assert native.desk[16:20].tolist()[0] == max([row[1] for row in rows], default=0)
