from __future__ import annotations

from tests.lab.made import HOST, SYN, WEB, frame, tcp4
from twinwall.lab.addresses import PEOPLE
from twinwall.lab.crossing import Crossing
from twinwall.lab.scenarios import SCENARIOS
from twinwall.lab.sum_up import Played, by_row, cell, differences
from twinwall.lab.twin import Said

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
SCAN = Played(BY_NAME["syn-scan"], 10, False, connections=4)


def crossing(time, packet, passed, side="outside"):
    return Crossing(time, side, frame(packet), passed)


PROBE = tcp4(PEOPLE.attacker, HOST, (50000, 23), SYN)
ANSWER = tcp4(HOST, PEOPLE.attacker, (23, 50000), 0x14)


def test_an_attack_counts_its_own_packets_and_replay_all_of_them():
    crossed = [crossing(11, PROBE, True), crossing(12, ANSWER, True, "inside")]
    said = [Said(True, "the probe: pass"), Said(False, "the answer: drop")]
    (packets,) = by_row([SCAN], crossed, said)
    found = cell(SCAN, packets)
    assert (found.reached, found.sent, found.arrived, found.judged, found.agreed) == (True, 1, 1, 2, 1)
    assert found.connections == 4
    assert differences([SCAN], [packets]) == ["syn-scan: the answer: drop; the kernel passed it"]


def test_an_attack_of_which_nothing_got_in_did_not_reach_anything():
    (packets,) = by_row([SCAN], [crossing(11, PROBE, False)], [Said(False, "")])
    found = cell(SCAN, packets)
    assert (found.reached, found.sent, found.arrived) == (False, 1, 0)
    assert differences([SCAN], [packets]) == []


def test_a_wanted_row_is_what_its_program_says():
    played = Played(BY_NAME["web"], 10, False, "timed out")
    (packets,) = by_row([played], [crossing(11, tcp4(HOST, WEB), True, "inside")], [Said(True, "")])
    found = cell(played, packets)
    assert (found.reached, found.words, found.arrived) == (False, "timed out", 1)


def test_a_row_that_was_not_played_stays_unknown():
    played = Played(BY_NAME["syn-scan"], 10, None, "nmap is not installed")
    found = cell(played, [])
    assert (found.reached, found.words, found.judged) == (None, "nmap is not installed", 0)


def test_without_replay_nothing_is_judged():
    (packets,) = by_row([SCAN], [crossing(11, PROBE, True)], [])
    assert cell(SCAN, packets).judged == 0
    assert differences([SCAN], [packets]) == []


def test_every_row_gets_its_packets():
    second = Played(BY_NAME["ack-scan"], 20, False)
    rows = by_row([SCAN, second], [crossing(11, PROBE, True), crossing(21, tcp4(PEOPLE.attacker, HOST, (1, 2)), True)], [])
    assert [len(row) for row in rows] == [1, 1]
