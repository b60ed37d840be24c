"""Every capture of the shared folder through a policy of both stages with every output: no error of ours, no packet lost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.capture.test_shared_captures import FOLDERS, captures
from tests.engine.runs import engine_of, policy_of
from twinwall.capture import CaptureError, open_captures
from twinwall.capture.framer import native_framer
from twinwall.cli.outputs import Targets, open_outputs
from twinwall.compile.policy import compile_policy
from twinwall.engine.engine import BATCH, Engine, Settings
from twinwall.engine.machine import NativeMachine
from twinwall.path.reason import Reason, Verdict

INTERPRETED_FRAMES = 60  # of each capture
CHECKED = "tcpdump"  # the folder whose checksums are verified


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_capture_replays_with_every_output(folder: Path, tmp_path):
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    policy = policy_of()
    compiled, machine, framer = compile_policy(policy), NativeMachine(), native_framer()
    for path in captures(folder):
        targets = Targets(*(str(tmp_path / name) for name in ("eve", "aws", "d.csv", "passed", "dropped")))
        engine = Engine(policy, compiled, machine, Settings(checksums=folder.name == CHECKED))
        capture = open_captures([path], framer=framer)
        decisions, frames = [], 0
        with ExitStack() as stack:
            outputs = open_outputs(targets, capture.interfaces, stack)
            batches = []
            try:
                for batch in capture:
                    engine.feed(batch)
                    frames += len(batch.frames)
                    batches.append(engine.take())
            except CaptureError:
                pass  # tests/capture holds the readable part against other readers
            engine.finish()
            for taken in (*batches, engine.take()):
                decisions.append(taken.decisions)
                for output in outputs:
                    output.write(taken)
        rows = np.concatenate(decisions)
        assert np.array_equal(rows["packet"], np.arange(1, frames + 1)), path
        assert set(rows["reason"].tolist()) <= {int(each) for each in Reason}
        assert set(rows["verdict"].tolist()) <= {int(each) for each in Verdict}
        assert (tmp_path / "d.csv").read_bytes().count(b"\n") == frames + 1
        parts = [_frames(tmp_path / name, framer) for name in ("passed", "dropped")]
        assert sum(parts) == frames


def _frames(path: Path, framer) -> int:
    return sum(len(batch.frames) for batch in open_captures([path], framer=framer))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_interpreter_decides_the_beginning_of_every_capture_alike(folder: Path):
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    framer = native_framer()
    native, interpreted = engine_of(keep=False), engine_of(native=False, keep=False)
    for path in captures(folder):
        try:
            batch = next(iter(open_captures([path], framer=framer, batch_frames=INTERPRETED_FRAMES)), None)
        except CaptureError:
            continue
        if batch is None:
            continue
        assert len(batch.frames) <= min(INTERPRETED_FRAMES, BATCH)
        for engine in (native, interpreted):
            engine.feed(batch)
        count = len(batch.frames)
        rows = np.arange(native.packets - count + 1, native.packets + 1) & (len(native.decisions) - 1)
        for name in ("decisions", "records"):
            assert np.array_equal(getattr(native, name)[rows], getattr(interpreted, name)[rows]), (path, name)
        assert np.array_equal(native.desk, interpreted.desk), path
    assert np.array_equal(native.connections.live(), interpreted.connections.live())
