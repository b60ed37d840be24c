"""The fragment table's memory."""

from __future__ import annotations

import numpy as np

from twinwall.policy.model import Timeout, Tracking
from twinwall.stream.layout import BODY_BYTES, T_TIMEOUT_V4, T_TIMEOUT_V6
from twinwall.stream.table import FragmentTable


def test_a_new_table_is_untouched_memory_but_for_its_header():
    assert not FragmentTable(Tracking()).memory[32:].any()


def test_it_has_room_for_as_many_datagrams_as_the_policy_says():
    three, one = (FragmentTable(Tracking(datagrams=count)).memory.nbytes for count in (3, 1))
    assert three - one >= 2 * BODY_BYTES


def test_timeouts_are_the_policy_s_in_nanoseconds():
    memory = FragmentTable(Tracking(timeouts=((Timeout.FRAGMENT_V6, 0.5),))).memory
    assert memory[[T_TIMEOUT_V4, T_TIMEOUT_V6]].tolist() == [30 * 10**9, 5 * 10**8]


def test_address_and_pointer_are_the_same_memory():
    table = FragmentTable(Tracking(datagrams=1))
    table.memory[40] = 7
    assert table.pointer().load(320, 8) == 7
    assert table.address == table.memory.ctypes.data
    assert isinstance(table.memory, np.ndarray)
