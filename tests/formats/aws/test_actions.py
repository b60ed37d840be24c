"""Custom actions: names are known in the scope that defines them, and in no other."""

from tests.formats.aws.made import custom_action, only, policy, read, refer, stateless, stateless_group, stateless_rule


def test_a_policys_custom_action_is_not_known_in_its_groups():
    made = policy(
        StatelessCustomActions=[custom_action()],
        StatelessRuleGroupReferences=refer("fast", kind="stateless", priorities=[1]),
    )
    found = only(read(made, stateless_group("fast", stateless_rule(1, ["aws:pass", "Count"]))), "aws-custom-undefined")
    assert "Count" in found.message
    assert found.span.file == "1.json"


def test_a_custom_action_alone_is_no_action():
    only(stateless(stateless_rule(1, ["Count"]), custom=[custom_action()]), "aws-standard-action")


def test_exactly_one_dimension():
    two = custom_action()
    two["ActionDefinition"]["PublishMetricAction"]["Dimensions"] *= 2
    assert "2 dimensions" in only(stateless(custom=[two]), "aws-custom-definition").message
