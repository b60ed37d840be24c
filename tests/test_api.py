"""The Python API, as docs and README show it."""

from __future__ import annotations

import os

import numpy as np
import pytest

import twinwall
from tests.cli.replaying import POLICY, TRAFFIC
from tests.cli.test_replay import pcap, query
from twinwall.engine.batch import COLUMNS


def test_every_public_name_is_there_and_no_other():
    for name in twinwall.__all__:
        assert getattr(twinwall, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = twinwall.nonsense


def test_batches_hold_every_packet_once_in_order():
    policy = twinwall.Policy.load(POLICY)
    assert isinstance(policy, twinwall.Policy)
    batches = list(twinwall.replay(policy, TRAFFIC))
    packets = np.concatenate([batch.column("packet") for batch in batches])
    assert packets.tolist() == list(range(1, 6631))
    dropped = sum(int(np.count_nonzero(batch.decisions["verdict"] == twinwall.Verdict.DROP)) for batch in batches)
    assert dropped == 266
    assert sum(len(batch.flows) for batch in batches) > 3000


def test_arrow_has_the_columns():
    pytest.importorskip("pyarrow")
    batch = next(iter(twinwall.replay(twinwall.Policy.load(POLICY), [TRAFFIC])))
    assert batch.to_arrow().schema.names == list(COLUMNS)


def test_a_damaged_capture_raises_after_its_last_readable_packet(tmp_path):
    path = pcap(tmp_path / "x.pcap", [query(1), query(2)])
    path.write_bytes(path.read_bytes()[:-5])
    seen = []
    with pytest.raises(twinwall.CaptureError, match="ends inside"):
        seen.extend(len(batch) for batch in twinwall.replay(twinwall.Policy.load(POLICY), path))
    assert sum(seen) == 1


def test_a_policy_with_mistakes_raises_all_of_them(tmp_path):
    (tmp_path / "p.yaml").write_text("twinwall: 1\nnonsense: 1\nstatefull: {}\n")
    with pytest.raises(twinwall.PolicyError) as caught:
        twinwall.Policy.load(tmp_path / "p.yaml")
    assert len(caught.value.diagnostics) == 2


def open_files():
    return sorted(os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if _is_link(number))


def _is_link(number):
    return os.path.islink(f"/proc/self/fd/{number}")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_replay_that_is_abandoned_closes_its_files(tmp_path):
    path = pcap(tmp_path / "x.pcap", [query(number) for number in range(40_000)])
    replay = twinwall.replay(twinwall.Policy.load(POLICY), [path, TRAFFIC])
    assert len(next(replay)) > 0
    assert str(path) in open_files()
    replay.close()
    assert str(path) not in open_files()
    assert TRAFFIC not in open_files()


def test_every_run_has_its_own_secret_and_no_decision_depends_on_it():
    from twinwall.api import secret_key
    from twinwall.engine.engine import Settings

    assert secret_key() != secret_key()
    policy = twinwall.Policy.load(POLICY)
    first, second = (
        [batch.decisions.tobytes() for batch in twinwall.replay(policy, TRAFFIC, settings=Settings(key=secret_key()))]
        for _ in range(2)
    )
    assert first == second
