"""Keywords that ask about the flow: `flow` and `flowbits`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from twinwall.policy.codes import Code
from twinwall.policy.model import FlowbitKind, FlowbitOption, FlowDirection, FlowOption, Rule
from twinwall.rules.draft import Draft
from twinwall.rules.keyword import Keyword, Where, bad_value
from twinwall.rules.located import Mistake
from twinwall.rules.suggest import did_you_mean

MOST_OPTIONS = 3  # of one `flow` keyword, in Suricata; a second keyword takes more
OPTIONS: dict[str, tuple[str, object]] = {
    "to_server": ("direction", FlowDirection.TO_SERVER),
    "from_client": ("direction", FlowDirection.TO_SERVER),
    "to_client": ("direction", FlowDirection.TO_CLIENT),
    "from_server": ("direction", FlowDirection.TO_CLIENT),
    "established": ("established", True),
    "not_established": ("established", False),
    "stateless": ("stateless", True),
    "only_stream": ("stream", True),
    "no_stream": ("stream", False),
    "only_frag": ("fragment", True),
    "no_frag": ("fragment", False),
}
BIT_NAME = re.compile(r"[^\s,;|]+")


def _read_flow(value: str, draft: Draft) -> None:
    words = list(_words(value))
    if len(words) > MOST_OPTIONS:
        hint = f"write a second flow keyword for the rest; Suricata takes {MOST_OPTIONS} options in one"
        raise bad_value(value, f"more than {MOST_OPTIONS} options in one flow keyword", hint)
    told: dict[str, Any] = {}
    for word, start, end in words:
        known = OPTIONS.get(word.lower())
        if known is None:
            hint = did_you_mean(word, OPTIONS) or f"one of {', '.join(OPTIONS)}"
            raise Mistake(Code.BAD_VALUE, f"{word!r} is not an option of flow", start, end, hint)
        name, setting = known
        before = getattr(draft.flow, name) if draft.flow is not None and name != "stateless" else None
        if name in told or (before is not None and before != setting):
            raise Mistake(Code.CONFLICT, f"{word!r} repeats or contradicts an earlier option", start, end)
        told[name] = setting
    flow = FlowOption(**told) if draft.flow is None else replace(draft.flow, **told)
    if flow.stateless and flow.established:
        raise Mistake(Code.CONFLICT, "`stateless` contradicts `established`", 0, len(value))
    draft.flow = flow


def _words(value: str) -> Iterable[tuple[str, int, int]]:
    """The words between commas, each with its place."""
    at = 0
    for part in value.split(","):
        word = part.strip()
        start = at + len(part) - len(part.lstrip())
        yield word, start, max(start + len(word), start + 1)
        at += len(part) + 1


def _write_flow(rule: Rule) -> Iterable[str]:
    if rule.flow is None:
        return []
    words = [
        word
        for word, (name, setting) in OPTIONS.items()
        if not word.startswith("from_") and getattr(rule.flow, name) is not None and getattr(rule.flow, name) == setting
    ]
    return [",".join(words[start : start + MOST_OPTIONS]) for start in range(0, len(words), MOST_OPTIONS)]


def _read_flowbits(value: str, draft: Draft) -> None:
    command, comma, rest = value.partition(",")
    word = command.strip()
    if word == "noalert":
        if comma:
            raise bad_value(value, "`flowbits:noalert` takes no name")
        draft.noalert = True
        return
    kinds = {kind.value: kind for kind in FlowbitKind}
    if word not in kinds:
        hint = did_you_mean(word, kinds) or f"one of {', '.join(kinds)}, noalert"
        raise Mistake(Code.BAD_VALUE, f"{word!r} is not a flowbits command", 0, max(len(command), 1), hint)
    names = tuple(name.strip() for name in rest.split("|"))
    if not all(BIT_NAME.fullmatch(name) for name in names):
        raise bad_value(
            value, "a flow bit's name is missing or contains a space or a comma", f"for example: flowbits:{word},name;"
        )
    kind = kinds[word]
    tests = kind in (FlowbitKind.ISSET, FlowbitKind.ISNOTSET)
    if len(names) > 1 and not tests:
        raise bad_value(value, f"`{word}` takes one name", "write one flowbits keyword for each name")
    draft.flowbits.append(FlowbitOption(kind, names))
    if kind is not FlowbitKind.SET:
        draft.packet = True


def _write_flowbits(rule: Rule) -> Iterable[str]:
    return [f"{option.kind.value},{'|'.join(option.names)}" for option in rule.flowbits]


KEYWORDS = (
    Keyword(
        "flow",
        "flow",
        "up to three of " + ", ".join(f"`{word}`" for word in OPTIONS),
        "the side a packet comes from, and how far its connection is",
        _read_flow,
        _write_flow,
        where=Where.STATEFUL,
        packet=True,
    ),
    Keyword(
        "flowbits",
        "flow",
        "`isset,a`, `isset,a|b`, `isnotset,a`, `set,a`, `unset,a`, `toggle,a`, `noalert`",
        "test and change bits that the flow carries",
        _read_flowbits,
        _write_flowbits,
        where=Where.STATEFUL,
    ),
)
