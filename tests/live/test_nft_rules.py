"""Lines of a table by their handles, and elements of its maps."""

from __future__ import annotations

import subprocess

import pytest

from tests.live.namespace import namespace
from twinwall.live.nft import Table
from twinwall.live.nft_rules import element_sid, rule_facts

pytestmark = pytest.mark.kernel
OURS = Table("inet", "twinwall")
TABLE = """
table inet twinwall {
  counter drop_invalid.3 { }
  map m.3 {
    type ipv4_addr . inet_service : verdict
    flags interval
    elements = { 10.0.0.0/8 . 80-90 comment "sid 7" : drop }
  }
  chain c.3 {
    type filter hook forward priority 0; policy accept;
    counter name drop_invalid.3 drop
    ip saddr 10.0.0.1 counter comment "sid 12"
    ip saddr . th dport vmap @m.3
  }
}
"""


@pytest.fixture
def table():
    with namespace() as made, made.entered():
        subprocess.run(["nft", "-f", "-"], input=TABLE, text=True, check=True)
        yield


def test_a_line_says_its_counters_its_rule_and_its_map(table):
    facts = [each for _, each in sorted(rule_facts(OURS).items())]
    assert [each.counters for each in facts] == [("drop_invalid",), (), ()]
    assert [each.sid for each in facts] == [None, 12, None]
    assert (facts[2].map, facts[2].key) == ("m.3", ("ip saddr", "th dport"))
    assert {chain for chain, _ in rule_facts(OURS)} == {"c.3"}


def test_an_element_says_the_rule_it_came_from(table):
    assert element_sid(OURS, "m.3", ("10.1.2.3", "85")) == 7
    assert element_sid(OURS, "m.3", ("10.1.2.3", "91")) is None
    assert element_sid(OURS, "no_such_map", ("10.1.2.3", "85")) is None


def test_a_table_that_is_not_there_has_no_lines():
    with namespace() as made, made.entered():
        assert rule_facts(OURS) == {}
