"""Ends: each verdict and reason is one chain with one counter, and notes on packets that walk on."""

from __future__ import annotations

from twinwall.path.reason import Reason, Verdict
from twinwall.render.chains import Chains
from twinwall.render.verdicts import DECIDED, Ends, counters_text, priority


def test_an_end_is_made_once_and_counts():
    chains = Chains()
    ends = Ends(chains, None)
    assert ends.end(Verdict.DROP, Reason.INVALID) == ends.end(Verdict.DROP, Reason.INVALID) == "drop_invalid"
    assert chains.text() == "\tchain drop_invalid {\n\t\tcounter name drop_invalid drop\n\t}\n"
    assert counters_text(ends) == "\tcounter drop_invalid {\n\t}\n"


def test_what_goes_on_carries_no_mark_of_ours():
    chains = Chains()
    Ends(chains, None).end(Verdict.PASS, Reason.RULE)
    assert "meta mark set 0x00000000 accept" in chains.text()


def test_a_reject_answers_and_drops_what_has_no_answer():
    chains = Chains()
    Ends(chains, None).end(Verdict.REJECT, Reason.RULE)
    answer = chains.text().split("chain reject_rule")[1]
    assert answer.index("tcp reset") < answer.index("icmp type") < answer.index("icmpv6 type") < answer.index("\tdrop")


def test_a_witness_hears_the_reason_with_the_rules_word():
    chains = Chains()
    Ends(chains, 9).end(Verdict.DROP, Reason.INVALID, "0x00000000")
    assert 'meta mark set 0x00000000 log prefix "tw INVALID" group 9 snaplen 128' in chains.text()


def test_a_note_is_a_priority_that_nobody_else_sets():
    ends = Ends(Chains(), None)
    assert ends.settled == ""
    note = ends.decide(Verdict.DROP, Reason.RULE)
    state = Verdict.DROP << 8 | Reason.RULE
    assert note == f"meta priority set {priority(state)}"
    assert (
        int(priority(state).replace(":", "").replace("7717", "7717" + "0" * (8 - len(priority(state)) + 1)), 16)
        == DECIDED | state
    )
    assert ends.settled == f"meta priority vmap {{ {priority(state)} : goto settled_drop_rule }}"
