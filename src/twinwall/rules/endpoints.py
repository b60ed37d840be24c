"""Values of the section `nat`: one host's address, ports, and an address with a port, each read from a node or reported."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Span
from twinwall.rules.document import Node
from twinwall.rules.values import Values

BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
PORTS = re.compile(r"([0-9]{1,5})(?: *- *([0-9]{1,5}))?", re.ASCII)
TOP_PORT = 65535
Address = IPv4Address | IPv6Address


class Target(NamedTuple):
    """Where a forwarded port leads; no port: the same one."""

    address: Address
    port: int | None


def read_address(values: Values, node: Node) -> Address | None:
    """The address of one host."""
    scalar = values.scalar(node, "an address")
    return _host(values, scalar.text.text, scalar.span) if scalar is not None else None


def read_target(values: Values, node: Node) -> Target | None:
    """`10.20.0.80`, `10.20.0.80:80`, `2001:db8::1`, `[2001:db8::1]:80`."""
    scalar = values.scalar(node, "an address, with a port or without")
    if scalar is None:
        return None
    host, port = _split(scalar.text.text)
    address = _host(values, host, scalar.span)
    number = _port(port) if port is not None else None
    if port is not None and number is None:
        hint = f"ports are 1 to {TOP_PORT}; an IPv6 address with a port is written [2001:db8::1]:80"
        values.report(Code.BAD_PORT, f"{port!r} is not a port", scalar.span, hint)
        return None
    return Target(address, number) if address is not None else None


def read_ports(values: Values, node: Node) -> tuple[int, int] | None:
    """`8080` or `8000-8010`: the first and the last port."""
    scalar = values.scalar(node, "a port or a range of them")
    if scalar is None:
        return None
    match = PORTS.fullmatch(scalar.text.text)
    low, high = (_port(match[1]), _port(match[2] or match[1])) if match else (None, None)
    if low is not None and high is not None and low <= high:
        return low, high
    message = f"{scalar.text.text!r} is neither a port nor a range of them"
    values.report(Code.BAD_PORT, message, scalar.span, f"write 8080 or 8000-8010; ports are 1 to {TOP_PORT}")
    return None


def _split(text: str) -> tuple[str, str | None]:
    bracketed = BRACKETED.fullmatch(text)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


def _port(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(TOP_PORT)) else 0
    return number if 1 <= number <= TOP_PORT else None


def _host(values: Values, text: str, span: Span) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        hint = "one address, like 203.0.113.5 or 2001:db8::5"
        values.report(Code.BAD_ADDRESS, f"{text!r} is not an address", span, hint)
        return None
    broadcast = text == "255.255.255.255"
    if "%" in text or broadcast or address.is_multicast or address.is_unspecified or address.is_loopback:
        values.report(Code.BAD_ADDRESS, f"{text} is no address of a single host elsewhere", span, "name one host's address")
        return None
    return address
