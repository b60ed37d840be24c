"""Elements and sets as nftables writes them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from twinwall.policy.sets import TOP_PORT, TOP_V4, TOP_V6
from twinwall.render.elements import Sets, key_text, line_text, listed, map_text, writer
from twinwall.render.layers import Unit
from twinwall.render.match import DESTINATION, DESTINATION_PORT, SOURCE, Match, everything

ANY = ((0, TOP_V4),)
ANY_PORT = ((0, TOP_PORT),)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::1/128"])
def test_a_network_is_written_as_one(text: str):
    network = ip_network(text)
    written = writer(SOURCE, network.version)(int(network.network_address), int(network.broadcast_address))
    assert ip_network(written) == network


def test_what_is_no_network_is_a_range():
    assert writer(DESTINATION, 4)(0x0A000001, 0x0A000002) == "10.0.0.1-10.0.0.2"
    assert writer(DESTINATION, 6)(1, TOP_V6) == "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    assert writer(DESTINATION_PORT, 4)(80, 90) == "80-90"
    assert writer(DESTINATION_PORT, 4)(80, 80) == "80"


def test_an_answer_is_looked_up_with_its_fields_swapped():
    assert key_text((0, 1, 3), 4) == "ip saddr . ip daddr . th dport"
    assert key_text((0, 1, 3), 6, swapped=True) == "ip6 daddr . ip6 saddr . th sport"


def unit(box, sid: int = 1) -> Unit:
    return Unit(Match(0, sid, 7, tuple((side,) for side in box)), box, whole=False)


def test_a_map_of_single_values_is_a_hash_and_one_of_ranges_is_not():
    target, port = everything(4)[1:3]
    single, network = (0x0A000001, 0x0A000001), (0x0A000000, 0x0AFFFFFF)
    exact = map_text("m", [unit((single, target, port, (80, 80)))], (0, 3), 4, "mark", ["0x1"])
    assert "flags interval" not in exact
    assert '10.0.0.1 . 80 comment "sid 1" : 0x1,' in exact
    ranges = map_text("m", [unit((network, target, port, (80, 80)), sid=9)], (0, 3), 4, "mark", ["0x2"])
    assert "flags interval" in ranges
    assert '10.0.0.0/8 . 80 comment "sid 9" : 0x2,' in ranges
    assert "\t\tcounter\n" in ranges


def test_a_line_names_sets_for_more_than_one_interval_and_each_set_once():
    sets = Sets()
    several = ((1, 1), (5, 9))
    whole = Unit(Match(0, 1, 7, (several, several, ANY_PORT, ((80, 80),))), everything(4), whole=True)
    assert line_text(whole, 4, sets) == "ip saddr @net4_1 ip daddr @net4_1 th dport 80"
    assert line_text(whole, 4, sets, swapped=True) == "ip daddr @net4_1 ip saddr @net4_1 th sport 80"
    assert len(sets.text) == 1


def test_no_elements_no_clause():
    assert listed([]) == ""
