from __future__ import annotations

from twinwall.events.protocol import NAMES


def test_every_number_has_a_name():
    assert len(NAMES) == 256
    assert [NAMES[number] for number in (1, 6, 17, 47, 58, 132, 136)] == [
        "ICMP", "TCP", "UDP", "GRE", "IPv6-ICMP", "SCTP", "UDPLite",
    ]  # fmt: skip
    assert (NAMES[143], NAMES[144], NAMES[255]) == ("Ethernet", "144", "255")
