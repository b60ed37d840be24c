"""The support report: every member is counted once, as what became of it."""

from tests.formats.aws.made import policy, read, stateless, stateless_rule, strings
from twinwall.formats.aws.report import Treatment


def treatment(reading, path):
    return {member.treatment: member.count for member in reading.report.members if member.path == path}


def test_understood_and_ignored_members():
    made = policy(NewMember={"Inner": 1})
    reading = read(made)
    assert treatment(reading, "FirewallPolicy.StatelessDefaultActions") == {Treatment.UNDERSTOOD: 1}
    assert treatment(reading, "FirewallPolicy.NewMember") == {Treatment.IGNORED: 1}
    assert treatment(reading, "FirewallPolicy.NewMember.Inner") == {}
    assert treatment(reading, "UpdateToken") == {Treatment.IGNORED: 1}


def test_members_of_array_elements_share_a_path():
    reading = stateless(stateless_rule(1), stateless_rule(2))
    path = "RuleGroup.RulesSource.StatelessRulesAndCustomActions.StatelessRules.Priority"
    assert treatment(reading, path) == {Treatment.UNDERSTOOD: 2}


def test_names_that_the_user_chose_are_left_out():
    reading = strings("", RuleVariables={"IPSets": {"MY_NET": {"Definition": ["10.0.0.0/8"]}}})
    assert treatment(reading, "RuleGroup.RuleVariables.IPSets.*.Definition") == {Treatment.UNDERSTOOD: 1}
    assert not any("MY_NET" in member.path for member in reading.report.members)


def test_refused_members():
    reading = read(policy(Route53ResolvedIPValidation={"Action": "DROP"}))
    assert treatment(reading, "FirewallPolicy.Route53ResolvedIPValidation") == {Treatment.REFUSED: 1}


def test_a_setting_that_is_not_emulated_counts_as_refused():
    reading = read(policy(TLSInspectionConfigurationArn="arn:aws:network-firewall:us-east-1:111122223333:tls-configuration/x"))
    assert treatment(reading, "FirewallPolicy.TLSInspectionConfigurationArn") == {Treatment.REFUSED: 1}


def test_the_report_for_people_has_totals_and_what_was_not_understood():
    reading = read(policy(NewMember=1))
    first, *rest = reading.report.lines()
    understood = reading.report.total(Treatment.UNDERSTOOD)
    assert first == f"{understood} understood, {len(rest)} ignored, 0 refused"
    assert "ignored: FirewallPolicy.NewMember (1)" in rest
