from __future__ import annotations

from contextlib import ExitStack

import click
import numpy as np
import pytest

from tests.events.batches import batch, decision
from twinwall.capture import open_captures
from twinwall.cli.outputs import Targets, open_outputs


def test_only_what_was_asked_for_is_opened(tmp_path):
    assert not Targets().any
    with ExitStack() as stack:
        assert open_outputs(Targets(), {}, stack) == []
        assert len(open_outputs(Targets(eve=str(tmp_path / "e"), dropped=str(tmp_path / "d")), {}, stack)) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"e", "d"}


def test_packets_go_to_their_verdict_s_file_from_whatever_buffer_they_lie_in(tmp_path):
    frames = [{"offset": offset, "captured_length": 2, "wire_length": 2, "linktype": 1} for offset in (0, 2, 0)]
    buffers = ((0, np.frombuffer(b"aabb", np.uint8)), (2, np.frombuffer(b"cc", np.uint8)))
    made = batch(
        [decision(n, verdict=verdict) for n, verdict in ((1, 0), (2, 1), (3, 2))], [{}] * 3, frames=frames, buffers=buffers
    )
    targets = Targets(passed=str(tmp_path / "p"), dropped=str(tmp_path / "d"))
    with ExitStack() as stack:
        for output in open_outputs(targets, {}, stack):
            output.write(made)
            output.write(batch([], [], buffers=()))
    found = {}
    for name in ("p", "d"):
        (read,) = list(open_captures([tmp_path / name]))
        found[name] = [bytes(read.buffer[start : start + 2]) for start in read.frames["offset"].tolist()]
    assert found == {"p": [b"aa"], "d": [b"bb", b"cc"]}


def test_conflicts_are_named():
    with pytest.raises(click.UsageError, match="--decisions x is also --eve"):
        Targets(eve="x", decisions="./x".removeprefix("./")).refuse_conflicts(())
    with pytest.raises(click.UsageError, match="what is read"):
        Targets(eve="x").refuse_conflicts(("x",))
    Targets(eve="/dev/null", decisions="/dev/null").refuse_conflicts(("-",))
