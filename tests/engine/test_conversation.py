from __future__ import annotations

import pytest

from tests.engine.world import World
from twinwall.engine.conversation import NEXT_CONNECTION, Conversation
from twinwall.engine.spoken_error import SpokenError

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"
EVERYTHING_PASSES = "stateful: {invalid: drop, midstream: drop}\n"


def numbers(*texts: str) -> list[tuple[int | None, int | None]]:
    talk = Conversation()
    return [(packet.seq, packet.ack) for packet in map(talk.say, texts)]


def test_a_handshake_data_and_the_end():
    texts = SYN, "< S.", "> .", "> P. len 100", "< . len 1000", "> F.", "< F.", "> ."
    assert numbers(*texts) == [
        (1000, 0), (5000, 1001), (1001, 5001), (1001, 5001), (5001, 1101), (1101, 6001), (6001, 1102), (1102, 6002),
    ]  # fmt: skip


def test_the_tracker_follows_it():
    world = World(EVERYTHING_PASSES)
    texts = SYN, "< S.", "> .", "> P. len 100", "< . len 1000", "> F.", "< F.", "> .", SYN, "< S.", "> ."
    for text in texts:
        account = world.say(text)
        assert account.decision["verdict"] == 0, text
    assert world.engine.connections.count == 1


def test_a_repeated_syn_keeps_its_number_and_a_new_connection_gets_another():
    assert numbers(SYN, "> S") == [(1000, 0), (1000, 0)]
    assert numbers(SYN, "< S.", "> .", "> F.", "> S")[-1] == (1002 + NEXT_CONNECTION, 0)


def test_a_reset_in_answer_to_a_syn():
    assert numbers(SYN, "< R.")[-1] == (0, 1001)
    assert numbers(SYN, "< S.", "> R")[-1] == (1001, 0)


def test_what_is_said_stands_and_is_gone_on_from():
    assert numbers(SYN + " seq 7", "< S.", "> . len 4 ack 1", "> .") == [(7, 0), (5000, 8), (8, 1), (12, 5001)]


def test_the_middle_of_a_connection():
    assert numbers("tcp 10.0.0.5:40000 > 198.51.100.7:443 . len 9", "< .") == [(1001, 5001), (5001, 1010)]


def test_a_packet_that_is_not_understood_changes_nothing():
    talk = Conversation()
    talk.say(SYN)
    with pytest.raises(SpokenError):
        talk.say("udp nonsense")
    assert str(talk.say("< S.")).startswith("tcp 198.51.100.7:443")
