"""A rule's canonical text: reading it back gives the same rule, and printing that gives the same text."""

from __future__ import annotations

from collections.abc import Sequence

from twinwall.policy.model import Rule
from twinwall.policy.sets import AddressSet
from twinwall.rules.addresses import V4_ONLY, V6_ONLY, print_addresses
from twinwall.rules.keyword import UnprintableError
from twinwall.rules.ports import print_ports
from twinwall.rules.protocols import printed_protocol
from twinwall.rules.registry import ALL_KEYWORDS


def print_rule(rule: Rule, interfaces: Sequence[str] = ()) -> str:
    """The rule as one line.  `interfaces` are the policy's; raises `UnprintableError` for what the language cannot say."""
    said = [text for keyword in ALL_KEYWORDS for text in _options(keyword.name, keyword.write(rule), interfaces)]
    return f"{print_header(rule)} ({' '.join(said)})"


def print_header(rule: Rule) -> str:
    """The part in front of the options."""
    family, protocol = _protocol(rule)
    words = (
        rule.action.value,
        protocol,
        _addresses(rule.source, family),
        print_ports(rule.source_ports),
        "<>" if rule.bidirectional else "->",
        _addresses(rule.destination, family),
        print_ports(rule.destination_ports),
    )
    return " ".join(words)


def _protocol(rule: Rule) -> tuple[AddressSet | None, str]:
    """The header's protocol; `ipv4` and `ipv6` also say what the addresses then need not."""
    protocol = printed_protocol(rule.protocols)
    if protocol == "ip" and rule.protocols is None:
        for family, name in ((V4_ONLY, "ipv4"), (V6_ONLY, "ipv6")):
            if _within(rule.source, family) and _within(rule.destination, family):
                return family, name
    return None, protocol


def _within(addresses: AddressSet, family: AddressSet) -> bool:
    """Whether the set lies in one IP version and is wide enough to be written shorter for it."""
    return not (addresses.v6 if family is V4_ONLY else addresses.v4)


def _addresses(addresses: AddressSet, family: AddressSet | None) -> str:
    if family is not None:
        whole = addresses | (V6_ONLY if family is V4_ONLY else V4_ONLY)
        if whole.is_any and not addresses.negated:
            return "any"
    return print_addresses(addresses)


def _options(name: str, texts: object, interfaces: Sequence[str]) -> list[str]:
    said = []
    for text in texts:  # type: ignore[attr-defined]
        value = _interface_name(text, interfaces) if name == "interface" else text
        said.append(f"{name}:{value};" if value else f"{name};")
    return said


def _interface_name(text: str, interfaces: Sequence[str]) -> str:
    number = int(text.lstrip("!"))
    if not 1 <= number <= len(interfaces):
        raise UnprintableError(f"interface {number} has no name")
    return ("!" if text.startswith("!") else "") + interfaces[number - 1]
