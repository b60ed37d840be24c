"""The control words: which interface has which number, however many come and go."""

from __future__ import annotations

import pytest

from tests.live.kernel import ebpf_or_skip
from twinwall.live.bpf_maps import ARRAY, ArrayMap
from twinwall.live.error import EnforcementError
from twinwall.live.xdp_control import FLAGS, Control, namespace_seal
from twinwall.targets.ebpf_entry import CONTROL_INTERFACES, CONTROL_WORDS, INTERFACE_PLACES, INTERFACE_PROBES, SEAL_MASK

pytestmark = pytest.mark.kernel


@pytest.fixture
def array():
    ebpf_or_skip()
    with ArrayMap.create(ARRAY, 8 * CONTROL_WORDS, 1, flags=FLAGS, name="control") as made:
        yield made


@pytest.fixture
def control(array):
    made = Control(array)
    yield made
    made.close()


def numbers(array, *indexes):
    """What the program finds for each interface index."""
    words = memoryview(array.read()).cast("Q")
    places = {index: CONTROL_INTERFACES + index % INTERFACE_PLACES for index in indexes}
    found = {i: [w >> 32 for w in words[at : at + INTERFACE_PROBES] if w & 0xFFFFFFFF == i] for i, at in places.items()}
    return {index: next(iter(values), None) for index, values in found.items()}


def test_what_is_begun_is_found_by_the_next_process(array, control):
    control.begin(6, 28, 77, bytes(range(32)), ("lan0", "a-name-of-15-ch"))
    again = Control(array)
    again.check_layout()
    assert (again.generation, again.digest, again.successor) == (6, bytes(range(32)), False)
    assert [again.number(name) for name in ("lan0", "a-name-of-15-ch", "wan0", "lan")] == [1, 2, 0, 0]
    again.successor = True
    assert control.successor
    again.close()


def test_interfaces_whose_places_meet_are_told_apart(array, control):
    indexes = [5 + turn * INTERFACE_PLACES for turn in range(INTERFACE_PROBES)]
    for number, index in enumerate(indexes, 1):
        control.know(index, number)
    assert numbers(array, *indexes, 6) == {**dict(zip(indexes, range(1, 9), strict=False)), 6: None}
    with pytest.raises(EnforcementError, match="have an index that equals 4101 modulo 1024"):
        control.know(5 + INTERFACE_PROBES * INTERFACE_PLACES, 9)


def test_the_last_place_has_room_behind_it(array, control):
    for turn in range(INTERFACE_PROBES):
        control.know((turn + 1) * INTERFACE_PLACES - 1, 7)
    assert set(numbers(array, *((turn + 1) * INTERFACE_PLACES - 1 for turn in range(INTERFACE_PROBES))).values()) == {7}


def test_a_number_may_change_and_what_is_gone_makes_room(array, control):
    control.know(5, 1)
    control.know(5, 2)
    control.know(9, 3)
    assert numbers(array, 5, 9) == {5: 2, 9: 3}
    control.keep_only({9})
    assert numbers(array, 5, 9) == {5: None, 9: 3}


def test_maps_of_another_version_are_refused(array, control):
    with pytest.raises(EnforcementError, match="another version"):
        control.check_layout()
    with ArrayMap.create(ARRAY, 64, 1, flags=FLAGS, name="control") as small, pytest.raises(EnforcementError, match="another"):
        Control(small)


def test_a_namespace_has_one_seal():
    assert namespace_seal() == namespace_seal()
    assert 0 <= namespace_seal() <= SEAL_MASK
