"""Every keyword by every name it has, and in the order in which a printed rule says them."""

from __future__ import annotations

from twinwall.rules.keyword import Keyword
from twinwall.rules.keywords import flow, icmp, ip, meta, payload_size, tcp, twinwall

FAMILIES = (twinwall, flow, ip, tcp, icmp, payload_size, meta)
ALL_KEYWORDS: tuple[Keyword, ...] = (
    *meta.KEYWORDS[:1],  # a reader looks for msg first
    *(keyword for family in FAMILIES[:-1] for keyword in family.KEYWORDS),
    *meta.KEYWORDS[1:],
)
KEYWORDS: dict[str, Keyword] = {name: keyword for keyword in ALL_KEYWORDS for name in (keyword.name, *keyword.aliases)}
