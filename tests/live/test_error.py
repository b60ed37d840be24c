"""What the kernel refused, as people read it."""

from twinwall.live.error import EnforcementError


def test_the_text_names_what_was_tried_why_not_and_what_to_do():
    error = EnforcementError("load the ruleset", "no memory", "buy some")
    assert str(error) == "load the ruleset: no memory\n    hint: buy some"
    assert (error.action, error.cause, error.remedy) == ("load the ruleset", "no memory", "buy some")
