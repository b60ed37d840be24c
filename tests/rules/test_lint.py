"""What a policy is warned about, and what not."""

from __future__ import annotations

import pytest

from tests.rules.test_policy_file import sound
from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Severity
from twinwall.rules.lint import lint


def codes(stage, *rules, order="strict"):
    lines = "".join(f"    {rule}\n" for rule in rules)
    extra = f"  order: {order}\n" if stage == "stateful" else ""
    found = lint(sound(f"twinwall: 1\n{stage}:\n{extra}  rules: |\n{lines}"))
    assert all(each.severity is Severity.WARNING for each in found)
    return [each.code for each in found]


ONE_WAY = "pass tcp 10.0.0.0/8 any -> any 443 (sid:1;)"
MIRROR = "forward tcp any 443 -> 10.0.0.0/8 any (sid:2;)"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([ONE_WAY], [Code.ASYMMETRIC]),
        ([ONE_WAY, MIRROR], []),
        ([ONE_WAY.replace("->", "<>")], []),
        (["pass ip any any -> any any (sid:1;)"], []),
        (["drop tcp 10.0.0.0/8 any -> any 443 (sid:1;)"], []),
        (["pass tcp any any <> any any (flags:S; sid:1;)"], [Code.FLAGS_ONE_WAY]),
        ([ONE_WAY, "pass tcp any [80,443] -> 10.0.0.0/8 1024: (flags:A+; sid:2;)"], []),
        ([ONE_WAY, MIRROR.replace("443", "80")], [Code.ASYMMETRIC, Code.ASYMMETRIC]),
        ([ONE_WAY, MIRROR.replace("tcp", "udp")], [Code.ASYMMETRIC, Code.ASYMMETRIC]),
    ],
)
def test_stateless(rules, expected):
    assert codes("stateless", *rules) == expected


LOOKS_INSIDE = "drop tcp any any -> any 80 (flow:established,to_server; sid:1;)"
IP_ONLY = "pass tcp any any -> any 80 (sid:2;)"


@pytest.mark.parametrize(
    ("rules", "order", "expected"),
    [
        ([LOOKS_INSIDE, IP_ONLY], "strict", [Code.SHADOWING_FLOW]),
        ([LOOKS_INSIDE, IP_ONLY], "action", []),
        ([IP_ONLY, LOOKS_INSIDE], "strict", []),
        ([LOOKS_INSIDE, IP_ONLY.replace("(", "(flow:to_server; ")], "strict", []),
        ([LOOKS_INSIDE.replace("drop", "alert"), IP_ONLY], "strict", []),
    ],
)
def test_stateful(rules, order, expected):
    assert codes("stateful", *rules, order=order) == expected


@pytest.mark.parametrize("order", ["strict", "action"])
@pytest.mark.parametrize(("option", "expected"), [("only_stream", [Code.STREAM_ONLY]), ("no_stream", []), ("established", [])])
def test_a_rule_for_reassembled_data_never_matches_a_packet(order, option, expected):
    assert codes("stateful", f"alert tcp any any -> any any (flow:to_server,{option}; sid:1;)", order=order) == expected


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("fragbits:M", [Code.PIECES_ONLY]),
        ("fragbits:MD", [Code.PIECES_ONLY]),
        ("fragbits:+M", [Code.PIECES_ONLY]),
        ("fragbits:D", []),
        ("fragbits:!M", []),
        ("fragbits:*MD", []),
        ("fragoffset:>0", [Code.PIECES_ONLY]),
        ("fragoffset:3", [Code.PIECES_ONLY]),
        ("fragoffset:0", []),
        ("fragoffset:<5", []),
    ],
)
def test_a_rule_for_pieces_never_matches_a_whole_datagram(option, expected):
    assert codes("stateful", f"alert ip any any -> any any ({option}; sid:1;)") == expected
