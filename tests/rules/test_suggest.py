from twinwall.rules.suggest import LONGEST, did_you_mean


def test_a_near_word_is_suggested_and_a_far_one_is_not():
    assert did_you_mean("flowbit", ["flow", "flowbits", "flags"]) == "did you mean flowbits?"
    assert did_you_mean("FLOW", ["flow"]) == "did you mean flow?"
    assert did_you_mean("xyzzy", ["flow"]) == did_you_mean("", ["flow"]) == ""
    assert did_you_mean("f" * (LONGEST + 1), ["f" * LONGEST]) == ""
