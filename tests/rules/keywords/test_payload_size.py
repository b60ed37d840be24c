import pytest

from tests.rules.keywords.rule import read


@pytest.mark.parametrize("value", ["0", "<100", ">1", "10<>20"])
def test_sizes_are_conditions(value):
    rule, diagnostics = read(f"dsize:{value};")
    assert not diagnostics
    assert len(rule.conditions) == 1


@pytest.mark.parametrize("value", ["", "x", "65536", "20<>10", "-1"])
def test_sizes_that_no_packet_has_are_refused(value):
    rule, diagnostics = read(f"dsize:{value};")
    assert rule is None
    assert diagnostics
