import pytest

from tests.rules.keywords.rule import read
from twinwall.policy.model import FlowDirection


@pytest.mark.parametrize(
    ("options", "direction"),
    [
        ("to_server", FlowDirection.TO_SERVER),
        ("from_client", FlowDirection.TO_SERVER),
        ("established,to_client", FlowDirection.TO_CLIENT),
    ],
)
def test_directions(options, direction):
    rule, diagnostics = read(f"flow:{options};")
    assert not diagnostics
    assert rule.flow.direction is direction


@pytest.mark.parametrize(
    "options",
    [
        "flow:;",
        "flow:sideways;",
        "flow:to_server,to_client;",
        "flow:established,not_established;",
        "flowbits:set;",
        "flowbits:nonsense,x;",
    ],
)
def test_what_contradicts_itself_is_refused(options):
    rule, diagnostics = read(options)
    assert rule is None
    assert diagnostics
