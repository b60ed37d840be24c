import heapq
import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.capture import forge
from tests.capture.forge import Packet
from tests.capture.reading import read


def write(folder, files):
    paths = []
    for number, times in enumerate(files):
        path = folder / f"{number}.pcap"
        path.write_bytes(forge.pcap([Packet(time, 0, f"{number}:{index}".encode()) for index, time in enumerate(times)]))
        paths.append(path)
    return paths


def expected(files):
    strands = ([(time, number, f"{number}:{index}") for index, time in enumerate(times)] for number, times in enumerate(files))
    return [name for _, _, name in heapq.merge(*strands, key=lambda item: item[:2])]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 30), max_size=12), min_size=2, max_size=4), st.integers(1, 5))
def test_it_is_a_stable_heap_merge_whatever_the_batches(tmp_path, files, batch_frames):
    outcome = read(write(tmp_path, files), batch_frames)
    assert outcome.error is None
    assert [seen.data.decode() for seen in outcome.packets] == expected(files)
    assert all(size <= batch_frames for size in outcome.batches)
    assert [f"{seen.source}" for seen in outcome.packets] == [seen.data.decode()[0] for seen in outcome.packets]
    older = sum(after < before for times in files for before, after in itertools.pairwise(times))
    totals = outcome.summary.totals
    assert (totals.backwards, totals.frames) == (older, sum(map(len, files)))
    assert totals.captured_bytes == sum(len(seen.data) for seen in outcome.packets)


def test_files_that_follow_one_another_are_handed_on_without_a_copy(tmp_path):
    outcome = read(write(tmp_path, [range(200, 300), range(100)]))
    assert outcome.batches == [100, 100]
    assert outcome.packets[0].source == 1


def test_a_broken_file_ends_alone_and_its_error_comes_last(tmp_path):
    paths = write(tmp_path, [range(10, 20), range(10, 20), range(10, 20)])
    for broken in paths[:2]:
        broken.write_bytes(broken.read_bytes()[:-1])
    outcome = read(paths)
    assert len(outcome.packets) == 28
    assert outcome.error.path == str(paths[0])
    assert any(str(paths[1]) in note for note in outcome.error.__notes__)


def test_many_rotated_files_are_not_held_open_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    paths = write(tmp_path, [[n] for n in range(1, 120)])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = max(int(name) for name in os.listdir("/dev/fd"))  # by the tests before
    resource.setrlimit(resource.RLIMIT_NOFILE, (held + 60, hard))
    try:
        assert len(read(paths).packets) == 119
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
