"""Conversations through a gateway with a rendered ruleset: which packets came out, and what the kernel keeps of them."""

from __future__ import annotations

import json
import re

from tests.conntrack.segments import End, Pair
from tests.fidelity.gateway import IN, Gateway, ethernet
from tests.fidelity.headers import fix_checksums, number
from tests.fidelity.traffic import link_of
from tests.fidelity.witness import name_of, story
from tests.render.rendering import policy_of
from twinwall.live import nft
from twinwall.live.nft_counts import read_counts
from twinwall.render.options import RenderOptions, StatelessWay
from twinwall.render.ruleset import render_ruleset

ATTACH = "attach: {mode: gateway, inside: [in0], outside: [out0]}"
OPTIONS = RenderOptions(stateless=StatelessWay.NFT)
MARK = re.compile(r" mark=(\d+)")
TCP = Pair(End("10.0.0.1", 40000), End("198.51.100.7", 443))
UDP = Pair(End("10.0.0.1", 40001), End("198.51.100.7", 53))
BACK = TCP.swapped()
HANDSHAKE = [TCP.tcp("S", 100), BACK.tcp("SA", 500, 101), TCP.tcp("A", 101, 501)]
QUESTION = TCP.tcp("PA", 101, 501, 10)
ANSWER = BACK.tcp("PA", 501, 111, 10)
MORE = TCP.tcp("A", 111, 511)


def load(gateway: Gateway, *rules: str, default: str = "drop_strict", options: RenderOptions = OPTIONS, more: str = "") -> None:
    """Put a policy with these rules in force, and `more` commands behind it."""
    policy = policy_of(*rules, default=default, attach=ATTACH)
    with gateway.router.entered():
        nft.load(render_ruleset(policy, options).text + more)


class Talk:
    """Sends packets, each with a number of its own."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.count = gateway, 0

    def send(self, *packets: bytes) -> list[bool]:
        """Which of the packets came out."""
        sent = []
        for packet in packets:
            self.count += 1
            sent.append(number(fix_checksums(packet), self.count))
        _, frames = self.gateway.send([(link_of(each), ethernet(link_of(each), each)) for each in sent])
        seen = story([], frames)
        return [bool(seen.out.get(name_of(each))) for each in sent]


def marks(gateway: Gateway, protocol: str) -> list[int]:
    """The connection marks of a protocol's entries."""
    return [int(found) for found in MARK.findall(gateway.router.run("conntrack", "-L", "-p", protocol))]


def counted(gateway: Gateway, name: str) -> int:
    """The packets that the ruleset has counted under a verdict's name."""
    listing = json.loads(gateway.router.run("nft", "--json", "list", "table", "inet", "twinwall"))["nftables"]
    return read_counts(listing).verdicts[name].packets


__all__ = [
    "ANSWER",
    "BACK",
    "HANDSHAKE",
    "IN",
    "MORE",
    "OPTIONS",
    "QUESTION",
    "TCP",
    "UDP",
    "Gateway",
    "Talk",
    "counted",
    "load",
    "marks",
]
