"""The bench's policies: as many rules as asked, the same every time, and none that decides before the last ones."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from bench import policies


@pytest.mark.parametrize("count", [10, 300])
def test_each_stage_has_the_asked_number_of_rules_with_sids_of_their_own(count: int) -> None:
    rules = policies.stateless_rules(count) + policies.stateful_rules(count)
    assert len(rules) == 2 * count
    sids = [int(re.search(r"sid:(\d+);", line)[1]) for line in rules]
    assert len(set(sids)) == 2 * count


def test_the_peer_gets_the_stateful_rules_of_the_policy(tmp_path: Path) -> None:
    policy = policies.write_policy(tmp_path / "policy.yaml", 50).read_text()
    peer = policies.write_peer_rules(tmp_path / "peer.rules", 50).read_text().splitlines()
    stateful = policy.split("stateful:")[1]
    assert [line.strip() for line in stateful.splitlines() if "sid:" in line] == peer


def test_prefixes_have_no_host_bits_and_miss_the_captures_hosts() -> None:
    here = [ip_network("10.20.0.0/16"), ip_network("198.18.0.0/15"), ip_network("2001:db8:20::/48"), ip_network("2001:2::/48")]
    for line in policies.stateful_rules(500)[:-2]:
        words = line.split()
        sides = [ip_network(words[2]), ip_network(words[5])]
        assert not all(any(side.version == net.version and side.overlaps(net) for net in here) for side in sides)


def test_the_loader_takes_the_policy(tmp_path: Path) -> None:
    api = pytest.importorskip("twinwall.rules.policy_file")
    path = policies.write_policy(tmp_path / "policy.yaml", 200)
    policy = api.load_policy(str(path))
    assert (len(policy.stateless.rules), len(policy.stateful.rules)) == (200, 200)
