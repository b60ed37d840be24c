import pytest

from tests.rules.test_policy_file import read, sound
from twinwall.policy.model import Attach, Flows, InspectionFailure, Mode


def mistakes(attach: str, rest: str = "") -> list[tuple[str, str]]:
    """What is wrong with a policy that is attached so: each mistake's code, and the text at its place."""
    text = f"twinwall: 1\nattach: {attach}\n{rest}"
    policy, diagnostics = read(text)
    assert (policy is None) == bool(diagnostics)
    places = [(each.code, [*text.splitlines(), ""][each.span.line - 1], each.span) for each in diagnostics]
    return [(str(code), line[span.column - 1 :][: span.length]) for code, line, span in places]


def test_everything_that_attach_says():
    text = "{mode: host, inside: [lan0, br-lan.7], outside: wan0, on_inspection_failure: pass, log_group: 0, queues: 4-7}"
    policy = sound(f"twinwall: 1\nattach: {text}")
    expected = Attach(Mode.HOST, ("lan0", "br-lan.7"), ("wan0",), InspectionFailure.PASS, 0, (4, 7))
    assert policy.attach == expected
    assert policy.flows is Flows.LINUX


def test_what_attach_does_not_say_is_usual():
    assert sound("twinwall: 1\nattach: {mode: gateway}").attach == Attach()
    assert sound("twinwall: 1\nattach: {inside: lan0, queues: 9}").attach == Attach(inside=("lan0",), queues=(9, 9))


@pytest.mark.parametrize(("said", "flows"), [("rules", Flows.RULES), ("linux", Flows.LINUX)])
def test_tracking_says_which_flows_the_rules_know(said: str, flows: Flows):
    for rest in ("", "attach: {inside: lan0}"):
        assert sound(f"twinwall: 1\ntracking: {{flows: {said}}}\n{rest}").flows is flows


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [("empty-attach", "")]),
        ("{}", [("empty-attach", "{}")]),
        ("{insde: lan0}", [("unknown-key", "insde")]),
        ("{inside: [lan0, a-name-of-15-ch]}", []),
        ("{inside: [lan0, a-name-of-16-chs]}", [("bad-interface", "a-name-of-16-chs")]),
        ("{inside: ['lan 0', lan/0, 'lan:0', lan*]}",
         [("bad-interface", "lan 0"), ("bad-interface", "lan/0"), ("bad-interface", "lan:0"), ("bad-interface", "lan*")]),
        ("{inside: ..}", [("bad-interface", "..")]),
        ("{inside: [[lan0]]}", [("wrong-shape", "[lan0]")]),
        ("{inside: [lan0, lan0]}", [("bad-interface", "lan0")]),
        ("{inside: lan0, outside: [wan0, lan0]}", [("bad-interface", "lan0")]),
        ("{inside: lan0, queues: 5-4}", [("bad-number", "5-4")]),
        ("{inside: lan0, queues: 65536}", [("bad-number", "65536")]),
        ("{inside: lan0, queues: all}", [("bad-number", "all")]),
        ("{inside: lan0, queues: [1]}", [("wrong-shape", "[1]")]),
        ("{inside: lan0, log_group: 70000}", [("bad-number", "70000")]),
        ("{inside: lan0, on_inspection_failure: accept}", [("bad-choice", "accept")]),
    ],
)  # fmt: skip
def test_every_mistake_has_its_place(text: str, found: list[tuple[str, str]]):
    assert mistakes(text) == found


def test_the_hint_says_why_and_what_instead():
    _, (long, both) = read("twinwall: 1\nattach: {inside: [a-name-of-16-chs, lan0], outside: lan0}")
    assert long.hint == "names have at most 15 characters; this one has 16"
    assert both.message == "the interface `lan0` stands on both sides"
    _, (range_,) = read("twinwall: 1\nattach: {inside: lan0, queues: 5-4}")
    assert "1776-1779" in range_.hint


RULES = "stateful:\n  rules: |\n    pass ip any any -> any any (interface:{}; sid:1;)\n"


@pytest.mark.parametrize("stage", ["stateful", "stateless"])
@pytest.mark.parametrize(
    ("name", "attach", "hint"),
    [
        ("lan", "{inside: lan0, outside: wan0}", "did you mean lan0?"),
        ("!dmz7", "{inside: lan0, outside: wan0}", "the interfaces of `attach` are lan0, wan0"),
        ("a-name-of-16-chs", "{mode: host}", "names have at most 15 characters; this one has 16"),
    ],
)
def test_rules_of_an_attached_policy_ask_for_interfaces_that_packets_come_in_by(stage: str, name: str, attach: str, hint: str):
    rules = RULES.format(name).replace("stateful", stage)
    assert sound(f"twinwall: 1\n{rules}").interfaces == (name.lstrip("!"),)  # a capture may have it
    assert mistakes(attach, rules) == [("bad-interface", rules.splitlines()[-1].strip())]
    _, (diagnostic,) = read(f"twinwall: 1\nattach: {attach}\n{rules}")
    assert diagnostic.hint == hint


@pytest.mark.parametrize("attach", ["{inside: lan0}", "{outside: [wan0, lan0]}", "{mode: host}"])
def test_rules_may_ask_for_what_is_attached_or_will_be(attach: str):
    assert mistakes(attach, RULES.format("lan0")) == []
