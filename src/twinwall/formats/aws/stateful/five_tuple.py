"""`StatefulRules`: rules given as parts (action, header, options) → rules as text.

    ACTION PROTOCOL Source SourcePort -> Destination DestinationPort (Keyword:Settings, …; …)

Settings keep their own quotes.  A rule made in the console usually has a `sid` and nothing else; without `flow` it is an
IP-only rule, whose verdict holds for the whole flow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value

ACTIONS = ("PASS", "DROP", "REJECT", "ALERT")
PROTOCOLS = (
    "IP", "TCP", "UDP", "ICMP", "HTTP", "FTP", "TLS", "SMB", "DNS", "DCERPC", "SSH", "SMTP", "IMAP", "MSN", "KRB5", "IKEV2",
    "TFTP", "NTP", "DHCP", "HTTP2", "QUIC",
)  # fmt: skip
DIRECTIONS = {"FORWARD": "->", "ANY": "<>"}
PART = re.compile(r"\S{1,1024}")  # one word of a rule's header; lists in brackets may not hold spaces here
KEYWORD = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
HEADER_PARTS = ("Source", "SourcePort", "Destination", "DestinationPort")


@dataclass(frozen=True, eq=False)
class TranslatedRule:
    """A rule's text and the JSON value it was made of."""

    text: str
    value: Value


def read_five_tuples(source: Value, findings: Findings) -> tuple[TranslatedRule, ...]:
    """Translate every rule of `StatefulRules`; those with a mistake are diagnosed and left out."""
    translated: list[TranslatedRule] = []
    for entry in findings.items(source, "StatefulRules", dict):
        before = findings.errors
        text = _rule(entry, findings)
        if findings.errors == before:
            translated.append(TranslatedRule(text, entry))
    return tuple(translated)


def _rule(entry: Value, findings: Findings) -> str:
    action = findings.word(entry, "Action", ACTIONS)
    if findings.member(entry, "Action") is None:
        findings.add(Code.MISSING, entry, "Action is missing")
    header = findings.required(entry, "Header")
    if header is None or not findings.typed(header, dict, "Header"):
        return ""
    protocol = _chosen(header, "Protocol", PROTOCOLS, findings)
    direction = _chosen(header, "Direction", tuple(DIRECTIONS), findings)
    source, source_port, destination, destination_port = (_part(header, name, findings) for name in HEADER_PARTS)
    arrow = DIRECTIONS.get(direction, "")
    options = " ".join(_option(item, findings) for item in findings.items(entry, "RuleOptions", dict))
    start = f"{(action or '').lower()} {protocol.lower()} {source} {source_port}"
    return f"{start} {arrow} {destination} {destination_port} ({options})"


def _chosen(header: Value, name: str, vocabulary: tuple[str, ...], findings: Findings) -> str:
    findings.required(header, name)
    return findings.word(header, name, vocabulary) or ""


def _part(header: Value, name: str, findings: Findings) -> str:
    """One word of the header; `ANY` in any case is the language's `any`."""
    value = findings.required(header, name)
    if value is None or not findings.typed(value, str, name):
        return ""
    text = re.sub(r"\s*([,\[\]!])\s*", r"\1", str(value.content).strip())
    if not PART.fullmatch(text) or "(" in text or ";" in text:
        findings.add(Code.HEADER, value, f"{name} is {text[:60]!r}, which cannot stand in a rule's header")
    return "any" if text.upper() == "ANY" else text


def _option(item: Value, findings: Findings) -> str:
    keyword = findings.required(item, "Keyword")
    if keyword is None or not findings.typed(keyword, str, "Keyword"):
        return ""
    name = str(keyword.content)
    if not KEYWORD.fullmatch(name):
        findings.add(Code.HEADER, keyword, f"{name[:60]!r} is not a keyword", "a Keyword is a name such as sid, msg or flow")
    settings = [str(setting.content) for setting in findings.items(item, "Settings", str)]
    if any("\n" in setting or "\r" in setting for setting in settings):
        findings.add(Code.HEADER, item, f"the settings of {name[:60]} hold a line break", "write a rule's settings on one line")
    return f"{name}:{','.join(settings)};" if settings else f"{name};"
