"""Small policies that drop, reject, pass, and set flowbits: reports and fate of every packet of the conversations."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.suricata.conversations import capture_of
from tests.suricata.differences import Cause, compare
from tests.suricata.oracle import ask_suricata
from tests.suricata.ours import packets, policy_of
from tests.suricata.rules import POLICIES
from tests.suricata.scripts import REGULAR
from tests.suricata.test_alerts import unexplained

KNOWN = {"drop what is not established": {Cause.RESTARTED: 2}}  # packets, by policy; beside pings


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    return capture_of(tmp_path_factory.mktemp("verdicts") / "capture", REGULAR)


@pytest.mark.parametrize("name", POLICIES)
def test_packets_have_the_same_fate(name, capture, tmp_path):
    rules = "\n".join(POLICIES[name])
    theirs = ask_suricata(tmp_path, capture.path, rules)
    ours, found = packets(policy_of(rules), capture.path)
    differences = list(compare(theirs, ours, found, lambda _: None))
    assert unexplained(differences, capture) == []
    causes = Counter(each.cause for each in differences)
    del causes[Cause.ECHO]
    assert causes == KNOWN.get(name, {})
    assert theirs.alerts
    assert ours.order.keys() >= theirs.order.keys() - {each.packet for each in differences}
