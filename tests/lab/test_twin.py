from __future__ import annotations

from tests.lab.made import ACK, HOST, SYN, WEB, frame, tcp4, udp4
from twinwall.lab.crossing import Crossing
from twinwall.lab.policies import BOTH, STATEFUL, bundled
from twinwall.lab.twin import judge

INTERFACES = {"inside": "inside", "outside": "outside"}


def judged(path, folder, *packets):
    crossed = [Crossing(1_000_000 * place, side, frame(packet), True) for place, (side, packet) in enumerate(packets, 1)]
    return judge(bundled(path), crossed, INTERFACES, folder)


def test_replay_follows_the_connection(tmp_path):
    said = judged(
        STATEFUL, tmp_path,
        ("inside", tcp4(HOST, WEB, (40000, 80), SYN)),
        ("outside", tcp4(WEB, HOST, (80, 40000), SYN | ACK)),
        ("outside", tcp4(WEB, HOST, (443, 50000), SYN | ACK)),
    )  # fmt: skip
    assert [each.passed for each in said] == [True, True, False]
    assert said[0].words == "tcp 10.20.0.10:40000 > 198.51.100.7:80: pass (rule_flow, sid 1, NEW)"


def test_it_knows_on_which_side_a_packet_came_in(tmp_path):
    spoofed = udp4(HOST, "10.20.0.11", (40000, 53))
    inside, outside = judged(BOTH, tmp_path, ("inside", spoofed), ("outside", spoofed))
    assert inside.passed
    assert "drop (stateless_rule, sid 10)" in outside.words


def test_nothing_is_said_about_nothing(tmp_path):
    assert judged(BOTH, tmp_path) == []
