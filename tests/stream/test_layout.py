"""The arrays of a slot do not touch each other."""

from __future__ import annotations

from twinwall.stream import layout


def test_a_slot_s_arrays_do_not_touch():
    assert layout.B_PIECES >= layout.B_WAITING + 8 * (layout.MAX_PIECES + 1)
    assert layout.B_OWNERS >= layout.B_PIECES + 8 * (layout.MAX_PIECES + 1)
    assert layout.B_PAYLOAD - layout.HEADER_ROOM >= layout.B_OWNERS + 2 * layout.MAX_UNITS
    assert layout.BODY_BYTES >= layout.B_PAYLOAD + layout.MAX_DATAGRAM
    assert layout.BODY_BYTES % 8 == 0


def test_words_of_header_and_head_fit_and_are_told_apart():
    for prefix, size in (("T_", layout.TABLE_BYTES), ("H_", layout.HEAD_BYTES)):
        words = [value for name, value in vars(layout).items() if name.startswith(prefix)]
        assert len(words) == len(set(words))
        assert max(words) < size // 8
