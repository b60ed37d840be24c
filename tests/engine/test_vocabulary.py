from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.engine import vocabulary as v
from twinwall.engine.spoken_parser import parse_packet


@given(st.integers(0, 255))
def test_every_combination_of_flags_has_a_word(flags):
    assert parse_packet(f"tcp 10.0.0.5:1 > 10.0.0.6:2 {v.flags_word(flags)}").flags == flags


@pytest.mark.parametrize(("protocol", "ends"), [("icmp", "10.0.0.1 > 10.0.0.2"), ("icmp6", "::1 > ::2")])
def test_every_message_has_a_word(protocol, ends):
    number = v.PROTOCOLS[protocol]
    for word, message in v.MESSAGES[number].items():
        assert parse_packet(f"{protocol} {ends} {word}").message == message
        assert parse_packet(f"{protocol} {ends} {v.message_word(number, message)}").message == message


def test_chunks_and_protocols():
    assert (v.chunk_word(1), v.chunk_word(130)) == ("init", "chunk 130")
    assert [v.protocol_word(number) for number in (6, 58, 89)] == ["tcp", "icmp6", "ip 89"]


@pytest.mark.parametrize(
    ("nanoseconds", "word"), [(0, "0s"), (1, "1ns"), (1_500_000, "1500us"), (30 * 10**9, "30s"), (3600 * 10**9, "1h")]
)
def test_durations(nanoseconds, word):
    assert v.duration_word(nanoseconds) == word
    assert parse_packet(f"gre 10.0.0.1 > 10.0.0.2 after {word}").after == nanoseconds
