"""The keyword that looks at the size of the payload."""

from __future__ import annotations

from twinwall.policy.model import PacketField
from twinwall.rules.keyword import Keyword, Where
from twinwall.rules.keywords.ip import comparing

KEYWORDS = (
    Keyword(
        "dsize",
        "payload",
        "`N`, `!N`, `<N`, `<=N`, `>N`, `>=N`, `N-M` or `N<>M` (ends left out); `kb` after a number",
        "bytes above the transport header",
        *comparing(PacketField.PAYLOAD_LENGTH, 65535, units=True),
        packet=True,
        where=Where.STATEFUL,
        repeats=False,
    ),
)
