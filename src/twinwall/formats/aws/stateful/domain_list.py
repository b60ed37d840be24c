"""Domain lists (`RulesSourceList`) → the rules that the service generates from them.

A target is a name, or `.name` for the name and everything below it.  The templates are data: one line for each kind of
target and protocol, and the tails that end an ALLOWLIST.  Under strict order the service writes no tail and no `priority`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.json.value import Value
from twinwall.policy.model import Order

TARGET_TYPES = ("TLS_SNI", "HTTP_HOST", "AWS_ROUTE_53_RESOLVED_DOMAIN")
ACTIONS = {"ALLOWLIST": "pass", "DENYLIST": "drop", "REJECTLIST": "reject", "ALERTLIST": "alert"}
WORDS = {"ALLOWLIST": "allowlisted", "DENYLIST": "denylisted", "REJECTLIST": "rejectlisted", "ALERTLIST": "alertlisted"}
TARGET = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253})")

RULE = (
    "{action} {protocol} $HOME_NET any -> $EXTERNAL_NET any "
    '({buffer} msg:"{message}"; {priority}flow:to_server, established; sid:{sid}; rev:1;)'
)


@dataclass(frozen=True, slots=True)
class Template:
    """How a protocol's rules look: for a name, for a name and everything below it, and for whatever no target allowed."""

    protocol: str
    exact: str
    below: str
    tail: str


TEMPLATES = {
    "TLS_SNI": Template(
        "tls",
        'ssl_state:client_hello; tls.sni; content:"{target}"; startswith; nocase; endswith;',
        'ssl_state:client_hello; tls.sni; dotprefix; content:"{target}"; nocase; endswith;',
        "ssl_state:client_hello;",
    ),
    "HTTP_HOST": Template(
        "http",
        'http.host; content:"{target}"; startswith; endswith;',
        'http.host; dotprefix; content:"{target}"; endswith;',
        'http.header_names; content:"|0d 0a|"; startswith;',
    ),
}


@dataclass(frozen=True, slots=True)
class DomainList:
    """What a list asks for.  `types` in the order in which the service writes their rules."""

    kind: str
    types: tuple[str, ...]
    targets: tuple[str, ...]


def read_domain_list(body: Value, findings: Findings) -> DomainList | None:
    """Read and check a `RulesSourceList`; None after a diagnostic."""
    before = findings.errors
    findings.required(body, "GeneratedRulesType")
    kind = findings.word(body, "GeneratedRulesType", tuple(ACTIONS))
    findings.required(body, "TargetTypes")
    types = {name for name, _ in findings.words(body, "TargetTypes", TARGET_TYPES)}
    targets: list[str] = []
    findings.required(body, "Targets")
    for item in findings.items(body, "Targets", str):
        text = str(item.content)
        if not TARGET.fullmatch(text):
            findings.add(Code.DOMAIN_TARGET, item, f"{text[:80]!r} is not a domain")
        elif text in targets:
            findings.add(Code.DOMAIN_TARGET, item, f"{text[:80]} stands twice in the list")
        targets.append(text)
    if kind is None or findings.errors != before:
        return None
    return DomainList(kind, tuple(name for name in TARGET_TYPES if name in types), tuple(targets))


def generate_rules(domains: DomainList, order: Order, *, strict_tail: bool) -> str:
    """The rules of a list as text, one on a line, with sids from 1.  `strict_tail`: write the tail under strict order too."""
    return "\n".join(line.format(sid=number) for number, line in enumerate(_lines(domains, order, strict_tail), 1))


def _lines(domains: DomainList, order: Order, strict_tail: bool) -> Iterator[str]:
    """The rules with their sid still open."""
    chosen = [TEMPLATES[name] for name in domains.types if name in TEMPLATES]
    action, word = ACTIONS[domains.kind], WORDS[domains.kind]
    for template in chosen:
        message = f"matching {template.protocol.upper()} {word} FQDNs"
        for target in domains.targets:
            buffer = (template.below if target.startswith(".") else template.exact).format(target=target)
            yield _line(action, template.protocol, buffer, message, order)
    if domains.kind == "ALLOWLIST" and (order is Order.ACTION or strict_tail):
        for template in chosen:
            yield _line(
                "drop", template.protocol, template.tail, f"not matching any {template.protocol.upper()} {word} FQDNs", order
            )


def _line(action: str, protocol: str, buffer: str, message: str, order: Order) -> str:
    priority = "priority:1; " if order is Order.ACTION else ""
    return RULE.format(action=action, protocol=protocol, buffer=buffer, message=message, priority=priority, sid="{sid}")
