"""The atheris targets run: on a seed of each kind, and without atheris with a message."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.rules.test_policy_file import WHOLE

FUZZ = Path(__file__).parents[2] / "fuzz"


def target(name):
    spec = importlib.util.spec_from_file_location(name, FUZZ / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [b"", b"pass tcp !10.0.0.1 any -> any 80 (flags:!S; sid:1;)", b"\xff\x00(", b"drop ip any"])
def test_rules(seed):
    target("fuzz_rules").one_input(seed)


@pytest.mark.parametrize("seed", [b"", WHOLE.encode(), b"\xff\x00", b"[" * 500])
def test_policies(seed):
    target("fuzz_policy").one_input(seed)
