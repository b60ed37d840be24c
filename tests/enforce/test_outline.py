"""What is kept of a policy beside its texts, so that a plan need not read them again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.enforce.test_difference import outline
from twinwall.enforce.outline import NOTHING, Outline, words
from twinwall.policy.model import Mode
from twinwall.rules.policy_file import read_policy_text


def read(text):
    policy, diagnostics = read_policy_text(f"twinwall: 1\n{text}", "policy.yaml", str)
    assert policy is not None, diagnostics
    return policy


def test_an_outline_comes_back():
    assert Outline.decode(outline().encode()) == outline()
    assert Outline.decode(NOTHING.encode()) == NOTHING
    attached = outline(more="attach: {mode: host, inside: [eth0], outside: [eth1]}\n")
    assert Outline.decode(attached.encode()).interfaces == ("eth0", "eth1")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"{}", b'{"stateless": [[1]], "stateful": []}'])
def test_a_damaged_file_is_not_taken_for_an_outline(data):
    """The state folder makes it again then: these are the errors that it catches."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Outline.decode(data)


def test_sums_tell_what_is_behind_a_variable_and_nothing_else():
    (here,), (same,), (other,) = (
        outline(["pass tcp $WEB any -> $WEB 1 (sid:1;)"], web).stateful
        for web in ("192.0.2.0/24", "[192.0.2.0/25, 192.0.2.128/25]", "192.0.2.0/25")
    )
    assert here == same
    assert here != other
    assert here == other._replace(sum=here.sum)


def test_source_and_destination_are_not_the_same_to_a_sum():
    text = "variables: {{A: {}, B: {}}}\nstateful: {{rules: 'pass tcp $A any -> $B any (sid:1;)'}}"
    there, back = (Outline.of(read(text.format(*pair))) for pair in (("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")))
    assert there.stateful[0].sum != back.stateful[0].sum


def test_each_stage_has_its_own_rules_and_settings_are_none_of_them():
    made = Outline.of(
        read(
            "stateless: {default: drop, rules: 'drop udp any any -> any any (sid:1;)'}\n"
            "stateful: {rules: 'pass tcp any any -> any any (sid:2;)'}\nattach: {mode: bridge, inside: [in0], outside: [out0]}"
        )
    )
    assert [(each.gid, each.sid) for each in (*made.stateless, *made.stateful)] == [(1, 1), (1, 2)]
    assert made.settings["stateless.default"] == "drop"
    assert made.settings["attach.mode"] == "bridge"
    assert made.interfaces == ("in0", "out0")
    assert not {"stateless.rules", "stateful.rules", "span", "name"} & made.settings.keys()


def test_where_a_policy_stands_is_no_part_of_it():
    text = "stateful: {rules: 'pass tcp any any -> any any (sid:2;)'}\n"
    here, there = read(text), read(f"# elsewhere\n\n{text}")
    assert here.stateful.rules[0].span != there.stateful.rules[0].span
    assert Outline.of(here) == Outline.of(replace(there, name="another name"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "none"),
        ((), "none"),
        (Mode.HOST, "host"),
        (("a", 1), "[a, 1]"),
        (True, "True"),
        ((("udp", 7.0),), "[[udp, 7.0]]"),
    ],
)
def test_settings_are_said_as_a_policy_file_would(value, said):
    assert words(value) == said
