"""Numba's conventions that the targets rely on, and what leaves the restricted style."""

import re

import pytest

from twinwall.path.primitives import Address, get, note, put
from twinwall.path.trace import TraceEvent
from twinwall.targets.native import compile_entries, link
from twinwall.targets.numba_ir import lower

SHIFT = 3


def helper(value: int) -> int:
    return value << SHIFT


def sample(record: Address, count: int) -> int:
    """A loop, a call, a constant, a note."""
    total = 0
    for index in range(6):
        if index == count:
            continue
        total = max(total, 1) + helper(min(index, 4))
        note(record, TraceEvent.DECODED, total)
    put(record, 1, total)
    return get(record, 1) + count


def test_numbas_calling_convention_is_the_one_the_targets_know():
    lowered = lower(sample)
    line = next(line for line in lowered.text.splitlines() if line.startswith("define") and f"@{lowered.symbol}(" in line)
    signature = re.sub(r"noalias |captures\(none\) |nocapture ", "", line)
    assert re.match(r"define i32 @\S+\(ptr %retptr, ptr %excinfo, i64 %arg\.record, i64 %arg\.count\)", signature), (
        "Numba's convention has changed; targets.numba_ir and the wrappers of native and ebpf must follow"
    )


def test_constants_are_unsigned_and_no_float_appears():
    assert "double" not in lower(sample).text


def recursive(value: int) -> int:
    return recursive(value)


def uses_a_string(value: int) -> int:
    return len("text") + value


def uses_a_builtin(value: int) -> int:
    return sorted(value)


def loops_over_a_list(value: int) -> int:
    for each in [1, 2]:
        value = value + each
    return value


def loops_from_a_start(value: int) -> int:
    """Compiled as `range(2)`, this would count from 0 in silence."""
    for index in range(2, 5):
        value = value + index
    return value


@pytest.mark.parametrize("function", [recursive, uses_a_string, uses_a_builtin, loops_over_a_list, loops_from_a_start])
def test_what_leaves_the_restricted_style_is_refused_by_name(function):
    with pytest.raises(TypeError):
        lower(function)


def test_interpreted_and_compiled_agree_on_the_sample():
    import numpy as np

    from twinwall.path.primitives import Pointer

    native = link(compile_entries({"sample": sample}), {"sample": 2}).functions["sample"]
    for count in range(8):
        one, two = np.zeros(4, np.uint64), np.zeros(4, np.uint64)
        assert native(one.ctypes.data, count) == sample(Pointer(two.view(np.uint8).data), count)
        assert (one == two).all()
