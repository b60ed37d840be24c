"""Policies for the renderer's tests, and the pieces of what is rendered."""

from __future__ import annotations

import re

from twinwall.policy.model import Policy
from twinwall.render.options import RenderOptions
from twinwall.render.ruleset import render_ruleset
from twinwall.rules.policy_file import read_policy_text

ATTACH = "attach: {mode: gateway, inside: [lan0], outside: [wan0]}"
CHAIN = re.compile(r"^\tchain (\w+) \{\n(.*?)^\t\}$", re.MULTILINE | re.DOTALL)
MAP = re.compile(r"^\tmap (\w+) \{\n(.*?)^\t\}$", re.MULTILINE | re.DOTALL)


def policy_of(*rules: str, attach: str = ATTACH, default: str = "", order: str = "strict", more: str = "") -> Policy:
    """A policy with these stateful rules; a sid is added to each, from 1."""
    lines = "".join(f"    {rule[:-1]}{' ' if rule[-2] != '(' else ''}sid:{sid};)\n" for sid, rule in enumerate(rules, 1))
    defaults = f"  default: [{default}]\n" if default else ""
    text = f"twinwall: 1\n{attach}\n{more}stateful:\n  order: {order}\n{defaults}" + (f"  rules: |\n{lines}" if rules else "")
    policy, found = read_policy_text(text, "policy.yaml", lambda name: "")
    assert policy is not None, [str(each) for each in found]
    return policy


def text_of(policy: Policy, options: RenderOptions | None = None) -> str:
    return render_ruleset(policy, options or RenderOptions()).text


def chains_of(text: str) -> dict[str, list[str]]:
    """The chains by name, as lines without indent."""
    return {name: [line.strip() for line in body.splitlines()] for name, body in CHAIN.findall(text)}


def maps_of(text: str) -> dict[str, list[str]]:
    """The elements of every map by its name."""
    return {
        name: [line.strip(" \t,") for line in body.splitlines() if ' comment "sid ' in line] for name, body in MAP.findall(text)
    }
