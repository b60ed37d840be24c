"""What goes over the pipes between the lab and its workers comes out as it went in."""

from __future__ import annotations

import pickle

import pytest

from twinwall.lab.messages import Cell, Change, Costs, CostsMeasured, Failure, Outcome, Play, Progress, Reloaded
from twinwall.rules.policy_file import read_policy_text

POLICY = read_policy_text("twinwall: 1\nstateful: {rules: 'pass tcp any any -> any 80 (sid:1;)'}\n", "p", open)[0]
assert POLICY is not None


@pytest.mark.parametrize(
    "message",
    [
        Play("one", privileged=True, policy=POLICY),
        Costs("costs", privileged=False),
        Progress("one", "curl"),
        Outcome("one", {"web": Cell(reached=True, words="200", sent=5, arrived=5)}, ["differs"], [], "xdp", 3),
        Reloaded([Change("two", alive=True)], 10, 9, 0.5),
        CostsMeasured({"xdp": 80.0}, None),
        Failure("build", "no ip", "install it"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_it_survives_the_pipe(message: object):
    assert pickle.loads(pickle.dumps(message)) == message
