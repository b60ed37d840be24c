from __future__ import annotations

import pytest

from twinwall.engine.spoken_error import SpokenError
from twinwall.engine.spoken_items import NUMBERS, choices, example_of
from twinwall.engine.spoken_parser import parse_packet
from twinwall.path.layout import GRE, ICMP, ICMP6, SCTP, TCP, UDP


@pytest.mark.parametrize("protocol", [TCP, UDP, SCTP, ICMP, ICMP6, GRE])
def test_examples_are_understood(protocol):
    assert parse_packet(example_of(protocol)).protocol == protocol


@pytest.mark.parametrize("word", NUMBERS)
def test_every_number_has_its_bound_and_its_protocols(word):
    item = NUMBERS[word]
    protocols = item.protocols or {TCP, UDP, SCTP, GRE}
    for protocol in protocols & {TCP, UDP, SCTP, GRE}:
        text = parse_packet(example_of(protocol)).headline()
        assert getattr(parse_packet(f"{text} {word} {item.highest}"), item.field) == item.highest
        assert word in choices(protocol) or word == "ipid"
        with pytest.raises(SpokenError):
            parse_packet(f"{text} {word} {item.highest + 1}")
