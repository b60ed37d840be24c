"""A traced packet as data for `--json`."""

from __future__ import annotations

import json

from tests.enforce.steps import step, told
from twinwall.enforce.trace_data import trace_data
from twinwall.live.nftrace import Code


def test_a_story_as_data_has_the_sentences_and_the_kernels_steps():
    data = trace_data(told(step("tcp4", Code.JUMP, "hit", 2), step("pass_rule", Code.ACCEPT)))
    assert (data["verdict"], data["rule"]["sid"]) == ("pass", 100)
    assert [each["chain"] for each in data["steps"]] == ["forward", "tcp4", "pass_rule"]
    assert data["steps"][1] | {"verdict": "jump", "target": "hit", "mark": 2} == data["steps"][1]


def test_what_does_not_apply_is_null():
    data = json.loads(json.dumps(trace_data(told(step("out", table="filter", family="ip")))))
    assert (data["verdict"], data["reason"], data["rule"]) == ("unjudged", None, None)
    assert data["steps"][1] == {
        "table": "ip filter",
        "chain": "out",
        "handle": 1,
        "kind": "rule",
        "verdict": "continue",
        "target": None,
        "mark": 0,
    }


def test_a_sentence_has_its_section_and_the_rule_it_is_about():
    lines = trace_data(told(step("tcp4", Code.JUMP, "hit", 2)))["lines"]
    assert [(line["section"], line["rule"] and line["rule"]["sid"]) for line in lines] == [
        ("decoded", None),
        ("stateful", 100),
        ("verdict", None),
    ]
    assert lines[1]["text"] == 'rule 100 "web" matches'
