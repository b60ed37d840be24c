import pytest

from tests.rules.keywords.rule import read

ICMP = "alert icmp any any -> any any"


def test_types_codes_and_echo_numbers_are_conditions():
    rule, diagnostics = read("itype:8; icode:<2; icmp_id:7; icmp_seq:9;", ICMP)
    assert not diagnostics
    assert len(rule.conditions) == 4


@pytest.mark.parametrize("options", ["itype:x;", "itype:300;", "icode:;", "icmp_id:65536;", "icmp_seq:-1;"])
def test_numbers_out_of_range_are_refused(options):
    rule, diagnostics = read(options, ICMP)
    assert rule is None
    assert diagnostics
