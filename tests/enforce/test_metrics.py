"""The metrics' text, read back by the format's own grammar (Prometheus, "Exposition formats", text version 0.0.4)."""

from __future__ import annotations

import re
from dataclasses import replace

from twinwall.enforce.metrics import METRICS, metrics_text
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Chosen, InForce
from twinwall.enforce.status import Interface, Status
from twinwall.enforce.status_counts import Counted, RuleCount, VerdictCount
from twinwall.live.conntrack import TableFill
from twinwall.live.nfqueue import QueueFill

HELP = re.compile(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
POLICY = Source(
    Kind.POLICY,
    (("p.yaml", "twinwall: 1\nstateful: {rules: 'pass ip any any -> any any (sid:1;)'}\nattach: {outside: [w]}\n"),),
)
STATUS = Status(
    force=InForce(Chosen("ab" * 16, 'a "b"\\c\n.yaml'), 3),
    policy=POLICY.policy(),
    interfaces=(Interface("wan0", True, "xdp native"), Interface("lan0", True, "")),
    counted=Counted(
        (
            RuleCount("stateful", 1, "pass", "", "pass", 3, 300),
            RuleCount("stateful", 1, "pass", "", "pass", 4, 400),
            RuleCount("stateless", 1, "drop", "", "drop", 5, 500),
        ),
        (VerdictCount("stateful", "drop", "invalid", 7, 70),),
    ),
    table=TableFill(10, 100, {"drop": 2, "early_drop": 0}),
    queues=(QueueFill(1776, 1, 2, 3, 4),),
)


def parse(text):
    """Samples by name and labels.  Every rule of the format that could be broken is asserted here."""
    assert text.endswith("\n")
    found, described, current = {}, set(), ""
    for line in text.splitlines():
        if help_line := HELP.fullmatch(line):
            current = help_line[1]
            assert current not in described, "a family is one group"
            described.add(current)
        elif type_line := TYPE.fullmatch(line):
            assert type_line[1] == current
            assert type_line[2] != "counter" or current.endswith("_total")
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == current
            labels = sample[2] or ""
            assert "".join(each[0] for each in LABEL.finditer(labels)) == labels, labels
            pairs = [(name, re.sub(r"\\.", lambda each: UNESCAPED[each[0]], value)) for name, value in LABEL.findall(labels)]
            key = (sample[1], frozenset(pairs))
            assert key not in found, "a series is there once"
            found[key] = float(sample[3])
    return found


def value(found, name, **labels):
    return found[name, frozenset(labels.items())]


def test_every_family_is_well_formed_and_has_a_value():
    found = parse(metrics_text(STATUS))
    assert {name for name, _ in found} == {metric.name for metric in METRICS}


def test_rules_are_counted_by_stage_and_sid():
    found = parse(metrics_text(STATUS))
    assert value(found, "twinwall_rule_packets_total", stage="stateful", sid="1", action="pass") == 7
    assert value(found, "twinwall_rule_bytes_total", stage="stateful", sid="1", action="pass") == 700
    assert value(found, "twinwall_rule_packets_total", stage="stateless", sid="1", action="drop") == 5
    assert value(found, "twinwall_packets_total", stage="stateful", verdict="drop", reason="invalid") == 7


def test_what_is_around_the_rules_is_there_too():
    found = parse(metrics_text(STATUS))
    assert value(found, "twinwall_interface_guarded", interface="wan0", way="xdp native") == 1
    assert value(found, "twinwall_interface_guarded", interface="lan0", way="") == 0
    assert value(found, "twinwall_tracker_events_total", event="drop") == 2
    assert value(found, "twinwall_queue_refused_total", queue="1776", reason="socket_full") == 3
    assert value(found, "twinwall_connections") == 10


def test_a_name_with_quotes_and_line_ends_comes_back():
    names = [dict(labels)["policy"] for name, labels in parse(metrics_text(STATUS)) if name == "twinwall_policy_info"]
    assert names == ['a "b"\\c\n.yaml']


def test_problems_are_counted_by_kind():
    found = parse(metrics_text(STATUS))
    assert value(found, "twinwall_problems") == 1
    assert value(found, "twinwall_problems_by_kind", kind="interface") == 1
    assert value(parse(metrics_text(replace(STATUS, interfaces=()))), "twinwall_problems") == 0


def test_without_a_policy_the_metrics_say_so():
    found = parse(metrics_text(Status()))
    assert value(found, "twinwall_in_force") == 0
    assert value(found, "twinwall_problems") == 1
    assert "twinwall_policy_info" not in {name for name, _ in found}
