"""Keywords that look at the ICMP and ICMPv6 headers."""

from __future__ import annotations

from twinwall.policy.model import PacketField
from twinwall.rules.keyword import Keyword, Where
from twinwall.rules.keywords.ip import comparing, equalling

_comparison = "`N`, `!N`, `<N`, `<=N`, `>N`, `>=N`, `N-M` (ends left out)"

KEYWORDS = (
    Keyword("itype", "icmp", _comparison, "ICMP type, of either version", *comparing(PacketField.ICMP_TYPE, 255), packet=True),
    Keyword("icode", "icmp", _comparison, "ICMP code", *comparing(PacketField.ICMP_CODE, 255), packet=True),
    Keyword(
        "icmp_id",
        "icmp",
        "`N`",
        "identifier of an echo",
        *equalling(PacketField.ICMP_ID, 65535),
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "icmp_seq",
        "icmp",
        "`N`",
        "sequence number of an echo",
        *equalling(PacketField.ICMP_SEQ, 65535),
        packet=True,
        where=Where.STATEFUL,
    ),
)
