"""Addresses as the service writes them: an address or a CIDR, of either family.

Bits below the prefix length are ignored, as the service does when it stores `10.0.0.5/8`.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

MAX_LENGTH = 49  # the longest IPv6 text with a prefix


def parse_network(text: str) -> IPv4Network | IPv6Network | None:
    """The network; None if the text is none."""
    if len(text) > MAX_LENGTH or "%" in text or not text.isascii() or text != text.strip():
        return None
    address, slash, prefix = text.partition("/")
    if slash and not (prefix.isdigit() and len(prefix) <= 3):
        return None  # a netmask in dots is not the service's notation
    try:
        return ip_network(f"{address}/{prefix}" if slash else address, strict=False)
    except ValueError:
        return None
