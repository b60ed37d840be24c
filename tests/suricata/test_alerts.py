"""Every header keyword, alone and in company, on generated conversations: who reports what on which packet."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.suricata import scripts
from tests.suricata.conversations import Capture, capture_of
from tests.suricata.differences import Cause, Difference, compare
from tests.suricata.oracle import Observation, Setting, ask_suricata
from tests.suricata.ours import Packet, packets, policy_of
from tests.suricata.rules import alert_rules

MOST = 15  # rules of one policy, so that no report of a packet is lost to the limit
RULES = alert_rules()
STATE_RULES = {sid for sid, rule in enumerate(RULES, 1) if "established" in rule}
ANY_OPTION = {sid for sid, rule in enumerate(RULES, 1) if "ipopts:any" in rule}
EXPECTED = {
    "REGULAR": {Cause.ECHO: 4},
    "IRREGULAR": {
        Cause.STRAY: 10, Cause.HANDSHAKE: 8, Cause.PROTOCOL: 18, Cause.OPTIONS: 8, Cause.FRAGMENT: 22, Cause.ERROR: 3,
    },
}  # fmt: skip


def cause_in_rules(sids: set[int]) -> Cause | None:
    if sids == ANY_OPTION:
        return Cause.OPTIONS
    return Cause.HANDSHAKE if sids <= STATE_RULES else None


def ours_in_parts(capture: Capture) -> tuple[Observation, dict[int, Packet]]:
    whole = Observation()
    found: dict[int, Packet] = {}
    for start in range(0, len(RULES), MOST):
        part, found = packets(policy_of("\n".join(RULES[start : start + MOST])), capture.path)
        whole.dropped |= part.dropped
        for packet, alerts in part.alerts.items():
            whole.alerts.setdefault(packet, Counter()).update(alerts)
    return whole, found


def unexplained(found: list[Difference], capture: Capture) -> list[str]:
    return [
        f"{capture.name(each.packet)}: Suricata {each.suricata}; twinwall {each.twinwall}" for each in found if not each.cause
    ]


@pytest.mark.parametrize("which", EXPECTED)
def test_the_same_rules_report_on_the_same_packets(which, tmp_path):
    capture = capture_of(tmp_path / "capture", getattr(scripts, which))
    theirs = ask_suricata(tmp_path, capture.path, "\n".join(RULES), Setting(alerts=255))
    ours, found = ours_in_parts(capture)
    differences = list(compare(theirs, ours, found, cause_in_rules))
    assert unexplained(differences, capture) == []
    assert Counter(each.cause for each in differences) == EXPECTED[which]
    assert sum(map(Counter.total, theirs.alerts.values())) > 10_000
