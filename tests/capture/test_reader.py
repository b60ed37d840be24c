import gzip
import io
import os
import sys
import threading
import weakref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.capture import forge
from tests.capture.forge import Packet
from tests.capture.reading import packets_of, read, read_bytes
from twinwall.capture import CaptureError, open_captures

PACKETS = [Packet(n, 0, n.to_bytes(4, "big") * 10) for n in range(1, 60)]
SEEDS = [
    forge.pcap(PACKETS[:3]),
    forge.section() + forge.interface() + forge.enhanced(1, b"abc") + forge.simple(b"de") + forge.old_packet(3, b"f"),
    gzip.compress(forge.pcap(PACKETS[:3]), mtime=0),
]


@pytest.mark.parametrize("batch_frames", [1, 7, 58, 59, 60])
def test_batches_are_numbered_through(tmp_path, batch_frames):
    outcome = read_bytes(tmp_path, forge.pcap(PACKETS), batch_frames)
    assert [seen.data for seen in outcome.packets] == [packet.data for packet in PACKETS]
    assert max(outcome.batches) <= batch_frames


def test_frames_across_chunk_borders(tmp_path):
    packets = [Packet(n, 0, bytes([n % 251]) * (n * 977 % 90_000)) for n in range(400)]
    outcome = read_bytes(tmp_path, forge.pcap(packets))
    assert [seen.data for seen in outcome.packets] == [packet.data for packet in packets]
    assert len(outcome.batches) > 3


def test_batches_that_are_kept_stay_as_they_were(tmp_path):
    packets = [Packet(n, 0, bytes([n % 251]) * 60_000) for n in range(400)]
    path = tmp_path / "capture"
    path.write_bytes(forge.pcap(packets))
    kept = list(open_captures([path]))
    assert [seen.data for batch in kept for seen in packets_of(batch)] == [packet.data for packet in packets]


def test_a_view_of_the_buffer_outlives_its_batch(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(forge.pcap([Packet(n, 0, bytes([n % 251]) * 60_000) for n in range(400)]))
    run = open_captures([path])
    batch = next(run)
    view, wanted = batch.buffer[40:100], batch.buffer[40:100].tobytes()
    gone = weakref.ref(batch.frames)
    del batch
    for _ in run:
        pass
    assert gone() is None
    assert view.tobytes() == wanted


def test_standard_input_and_a_pipe(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(forge.pcap(PACKETS)))))
    assert len(read(["-"]).packets) == len(PACKETS)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(forge.pcap(PACKETS),))
    writer.start()
    outcome = read([pipe])
    writer.join()
    assert [seen.data for seen in outcome.packets] == [packet.data for packet in PACKETS]


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_path_that_cannot_be_opened_is_an_error_before_anything_is_read(tmp_path, kind):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(forge.pcap(PACKETS))
    if kind == "folder":
        bad.mkdir()
    with pytest.raises(CaptureError, match="cannot be read") as caught:
        open_captures([good, bad])
    assert caught.value.path == str(bad)


def test_progress_counts_bytes_of_the_file(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(gzip.compress(forge.pcap(PACKETS)))
    run = open_captures([path])
    assert (run.taken, run.total) == (0, path.stat().st_size)
    assert sum(len(batch.frames) for batch in run) == len(PACKETS)
    assert run.taken == run.total


def test_a_run_can_be_given_up(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(forge.pcap(PACKETS))
    run = open_captures([path], batch_frames=5)
    next(run)
    run.close()
    assert list(run) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), st.binary(max_size=30)
)
def test_mutilated_captures_end_in_frames_and_at_most_one_error(tmp_path, seed, changes, tail):
    data = bytearray(seed + tail)
    for at, value in changes:
        data[at % len(data)] = value
    outcome = read_bytes(tmp_path, bytes(data))
    assert outcome.summary.totals.frames == len(outcome.packets)
    assert outcome.error is None or 0 <= outcome.error.offset <= 100_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_an_error_never_a_crash(tmp_path, data):
    outcome = read_bytes(tmp_path, data)
    assert outcome.packets == []
    assert outcome.error is not None
