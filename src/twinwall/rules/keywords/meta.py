"""Keywords that say something about the rule and nothing about a packet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from twinwall.policy.codes import Code
from twinwall.policy.model import Rule
from twinwall.rules.classtypes import CLASSTYPES
from twinwall.rules.draft import Draft
from twinwall.rules.keyword import Keyword, Read, Value, Where, Write, bad_value
from twinwall.rules.located import Mistake
from twinwall.rules.numbers import read_plain
from twinwall.rules.suggest import did_you_mean

QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)+)"\s*', re.DOTALL)
ESCAPED = re.compile(r'\\([\\";:])')
TO_ESCAPE = re.compile(r'([\\";])')
REFERENCE = re.compile(r"([A-Za-z0-9_-]+)\s*,\s*(\S.*)", re.ASCII | re.DOTALL)
UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
TOP_SID = 0xFFFFFFFE


def _read_msg(value: str, draft: Draft) -> None:
    match = QUOTED.fullmatch(value)
    if match is None:
        raise bad_value(value, "the message is not a text in double quotes", 'write msg:"text"; and \\" for a quote inside it')
    text = match.group(1)
    if "\\" in text:
        text = ESCAPED.sub(r"\1", text)
    if UNSAFE.search(text):
        raise bad_value(value, "the message contains a control character")
    draft.message = text


def _write_msg(rule: Rule) -> Iterable[str]:
    if not rule.message:
        return []
    return ['"' + TO_ESCAPE.sub(r"\\\1", UNSAFE.sub(" ", rule.message)) + '"']


def _numbering(name: str, low: int, top: int, unsaid: int) -> tuple[Read, Write]:
    """The two functions of a keyword that gives the rule a number."""

    def read(value: str, draft: Draft) -> None:
        setattr(draft, name, read_plain(value, top, low))

    def write(rule: Rule) -> Iterable[str]:
        number = getattr(rule, name)
        return [] if number == unsaid else [str(number)]

    return read, write


def _read_sid(value: str, draft: Draft) -> None:
    draft.sid = read_plain(value, TOP_SID, 1)


def _write_sid(rule: Rule) -> Iterable[str]:
    return [str(rule.sid)]


def _read_priority(value: str, draft: Draft) -> None:
    draft.priority = read_plain(value, 0xFFFFFFFF)
    draft.written_priority = True


def _write_priority(rule: Rule) -> Iterable[str]:
    implied = CLASSTYPES[rule.classtype].priority if rule.classtype in CLASSTYPES else 3
    return [] if rule.priority == implied else [str(rule.priority)]


def _read_classtype(value: str, draft: Draft) -> None:
    name = value.strip().lower()
    known = CLASSTYPES.get(name)
    if known is None:
        hint = did_you_mean(name, CLASSTYPES) or "the manual lists the names under `classtype`"
        raise Mistake(Code.BAD_VALUE, f"{value.strip()!r} is not a classification", 0, len(value), hint)
    draft.classtype = name
    draft.category = known.description
    if not draft.written_priority:
        draft.priority = known.priority


def _write_classtype(rule: Rule) -> Iterable[str]:
    return [rule.classtype] if rule.classtype else []


def _read_reference(value: str, draft: Draft) -> None:
    match = REFERENCE.fullmatch(value)
    if match is None or UNSAFE.search(match.group(2)):
        raise bad_value(value, "a reference is a kind, a comma and an identifier", "for example: reference:cve,2021-44228;")
    draft.references.append((match.group(1).lower(), match.group(2)))


def _write_reference(rule: Rule) -> Iterable[str]:
    return [f"{kind},{identifier}" for kind, identifier in rule.references]


def _read_metadata(value: str, draft: Draft) -> None:
    if UNSAFE.search(value.replace("\t", " ")):
        raise bad_value(value, "the metadata contain a control character")
    pairs = [part.split(None, 1) for part in value.split(",") if part.strip()]
    if not pairs:
        raise bad_value(value, "metadata without a word", "for example: metadata:owner network-team;")
    draft.metadata += [(pair[0], pair[1].strip() if len(pair) > 1 else "") for pair in pairs]


def _write_metadata(rule: Rule) -> Iterable[str]:
    pairs = [f"{key} {text}".rstrip() for key, text in rule.metadata]
    return [", ".join(pairs)] if pairs else []


def _switching(name: str) -> tuple[Read, Write]:
    """The two functions of a keyword that is there or not."""

    def read(value: str, draft: Draft) -> None:  # noqa: ARG001 - there is no value
        setattr(draft, name, True)

    def write(rule: Rule) -> Iterable[str]:
        return [""] * bool(getattr(rule, name))

    return read, write


def _meta(name: str, takes: str, summary: str, functions: tuple[Read, Write], **more: object) -> Keyword:
    make: Callable[..., Keyword] = Keyword
    return make(name, "meta", takes, summary, *functions, **{"repeats": False, **more})


KEYWORDS = (
    _meta("msg", 'a text in double quotes; `\\` before `"`, `;` and `\\`', "what an alert says", (_read_msg, _write_msg)),
    _meta(
        "noalert",
        "nothing",
        "apply the action without reporting it",
        _switching("noalert"),
        value=Value.NONE,
        repeats=True,
        where=Where.STATEFUL,
    ),
    _meta(
        "alert",
        "nothing",
        "report also where the action alone would not",
        _switching("alert"),
        value=Value.NONE,
        repeats=True,
        where=Where.STATEFUL,
    ),
    _meta("reference", "`kind,identifier`", "where to read more", (_read_reference, _write_reference), repeats=True),
    _meta(
        "classtype",
        "a classification's name",
        "the class of the event, and with it a priority",
        (_read_classtype, _write_classtype),
        repeats=True,
    ),
    _meta(
        "priority",
        "`N`, 1 is the most urgent",
        "order inside one action (action order only), and an alert's severity",
        (_read_priority, _write_priority),
        repeats=True,
    ),
    _meta(
        "metadata",
        "`key text, key text`",
        "anything for those who read alerts",
        (_read_metadata, _write_metadata),
        repeats=True,
    ),
    _meta("gid", "`N`", "the group that the sid counts in", _numbering("gid", 0, TOP_SID, 1), repeats=True),
    _meta("sid", "`N` from 1", "the rule's number: required, and unique in its group", (_read_sid, _write_sid)),
    _meta("rev", "`N` from 1", "the rule's version", _numbering("rev", 1, TOP_SID, 0)),
)
