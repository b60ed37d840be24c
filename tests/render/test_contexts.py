"""Places: what does not tell walks apart is not asked."""

from __future__ import annotations

import re

from tests.render.rendering import chains_of, policy_of, text_of
from twinwall.render.chains import Chains
from twinwall.render.contexts import DUE, ESTABLISHED, EVERY_PLACE, PLACES, place_name, render_learning, render_places
from twinwall.render.marks import CT_SEEN_ORIGINAL, CT_SEEN_REPLY

SEEN = CT_SEEN_ORIGINAL | CT_SEEN_REPLY


def place_chains(walks: dict[int, str]) -> str:
    chains = Chains()
    render_places(chains, walks)
    return chains.text()


def test_every_place_has_a_name_of_its_own():
    assert len({place_name(place) for place in PLACES}) == len(PLACES)
    assert EVERY_PLACE.bit_count() == len(PLACES)


def test_one_walk_for_all_asks_nothing():
    assert place_chains(dict.fromkeys(PLACES, "walk")).splitlines()[1:-1] == [
        "\t\tmeta mark set 0x00000000",
        "\t\tct direction original goto walk",
        "\t\tct direction reply goto walk",
        "\t\tgoto walk",
    ]


def test_established_is_asked_by_bit_by_handshake_and_by_replies():
    text = place_chains({place: "established" if place & ESTABLISHED else "opening" for place in PLACES})
    assert "ct mark & 0x02000000 != 0x0 goto established" in text
    assert "ct original protocol != 6 ct status seen-reply goto established" in text
    assert "== ack @ih,0,8 0-255 goto established" in text
    assert "ct mark & 0x08000000" not in text


def test_due_is_asked_by_the_bit_of_the_direction():
    text = place_chains({place: "due" if place & DUE else "asked" for place in PLACES})
    assert "ct mark & 0x08000000 == 0x0 goto due" in text
    assert "ct mark & 0x10000000 == 0x0 goto due" in text
    assert "seen-reply" not in text


def test_an_answer_without_a_flow_goes_to_the_client():
    text = place_chains({place: f"walk{place & 1}" for place in PLACES})
    assert "== syn | ack goto walk1" in text


def test_learning_writes_generation_and_direction_first():
    chains = Chains()
    render_learning(chains, 3)
    assert "ct mark set ct mark | 0x68000000" in chains.text().split("chain learn_original")[1]
    assert "ct mark set ct mark | 0x70000000" in chains.text().split("chain learn_reply")[1]


def writes_before_verdict(chains, name, *, written=False):
    """Whether some way through a chain writes that a direction was asked before a verdict on the flow; whether it writes it."""
    found = False
    for line in chains[name]:
        for target in re.findall(r"(?:goto|jump) (\w+)", line):
            found = found or (target == "mark_flow" and written)
            inner, writes = writes_before_verdict(chains, target, written=written)
            found, written = found or inner, written or ("jump" in line and writes)
        written = written or any(int(bits, 16) & SEEN for bits in re.findall(r"ct mark set ct mark \| (0x\w+)", line))
    return found, written


def test_a_verdict_that_another_processor_overwrites_is_asked_for_again():
    """What it may put back is any mark that a packet of the other direction can have read meanwhile."""
    rules = (
        "drop ip any any -> 192.0.2.0/24 any ()",
        "pass tcp any any -> any 80 (flow:established;)",
        "alert ip any any -> any any ()",
    )
    chains = chains_of(text_of(policy_of(*rules)))
    due = [name for name in chains if re.fullmatch(r"at_\w+_due", name)]
    assert due
    for name in due:
        assert writes_before_verdict(chains, name) == (False, False)
    assert any("jump learn_seen" in lines for lines in chains.values())
