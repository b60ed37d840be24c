"""What the taps see of packets that cross the firewall, and of those that do not."""

from __future__ import annotations

import pytest

from tests.lab.worlds import in_a_world

pytestmark = pytest.mark.kernel

# One world for all tests: to build it takes longer than any of them.
CODE = """
from subprocess import DEVNULL
from twinwall.lab import tap as module
from twinwall.lab.crossing import crossings
from twinwall.lab.places import checked, found
from twinwall.lab.tap import Tap

WEB = "198.51.100.7"
said = {}
def icmp(seen):
    return [[each.side, each.entering] for each in sorted(seen) if each.frame[12:14] == b"\\x08\\0" and each.frame[23] == 1]

with Tap(site) as tap:
    answered = pings("inside", WEB)
    tap.settle()
    said["crossed"] = [answered, len(crossings(tap.seen)), all(each.passed for each in crossings(tap.seen)), tap.lost()]
    said["directions"] = icmp(tap.seen)[:4]
    said["types"] = sorted({each.frame[12:14].hex() for each in tap.seen} - {"86dd"})  # IPv6 speaks up by itself

checked([found("ip"), "route", "add", "blackhole", "198.51.100.99"])
with Tap(site) as tap:
    pings("inside", "198.51.100.99", 1)
    tap.settle()
    said["dropped"] = icmp(tap.seen)

module.QUIET = 0.2  # longer than a busy machine keeps a ping waiting
with Tap(site) as tap:
    silence = tap.grows_by(8, 0.1)
    site.inside.start(["ping", "-q", "-c", "20", "-i", "0.01", "-W", "1", WEB], DEVNULL)
    said["waited"] = [silence, tap.grows_by(8, 5)]
    tap.settle()
    said["settled"] = len(icmp(tap.seen))

module.BUFFER = 1  # the least that the kernel gives; and nobody reads
tap = Tap(site)
site.inside.attempt(["ping", "-q", "-c", "10", "-i", "0.01", "-W", "1", WEB])
first = tap.lost()
said["lost"] = [first > 0, tap.lost() < first]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    return in_a_world(CODE)


def test_the_taps_see_every_packet_on_both_links_once(said):
    assert said["crossed"] == [True, 4, True, 0]


def test_they_record_ip_and_leave_out_what_carries_it(said):
    assert said["types"] == ["0800"]  # and not ARP, with which the ping began


def test_a_request_and_its_answer_each_come_in_on_one_side_and_leave_on_the_other(said):
    assert said["directions"] == [["inside", True], ["outside", False], ["outside", True], ["inside", False]]


def test_a_packet_that_the_firewall_drops_is_seen_on_its_way_in(said):
    assert said["dropped"] == [["inside", True]]


def test_one_can_wait_for_packets(said):
    assert said["waited"] == [False, True]


def test_a_row_is_over_when_nothing_moves_any_more(said):
    assert said["settled"] == 80  # 20 requests and their answers, on both links


def test_packets_that_a_tap_had_no_room_for_are_counted_once(said):
    assert said["lost"] == [True, True]
