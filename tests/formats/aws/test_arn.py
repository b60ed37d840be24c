"""ARNs of the service."""

import pytest

from twinwall.formats.aws.arn import Arn, parse_arn


def test_the_parts_of_an_arn():
    text = "arn:aws-us-gov:network-firewall:us-gov-west-1:111122223333:stateful-rulegroup/egress"
    assert parse_arn(text) == Arn("aws-us-gov", "us-gov-west-1", "111122223333", "stateful-rulegroup", "egress")


def test_a_managed_group():
    assert parse_arn("arn:aws:network-firewall:us-east-1:aws-managed:stateful-rulegroup/X").managed
    assert not parse_arn("arn:aws:network-firewall:us-east-1:111122223333:stateful-rulegroup/X").managed


@pytest.mark.parametrize(
    "text", ["", "egress", "arn:aws:ec2:us-east-1:111122223333:prefix-list/pl-1", "arn:aws:network-firewall:us-east-1:1:x/y"]
)
def test_other_texts(text):
    assert parse_arn(text) is None
