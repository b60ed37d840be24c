"""Address translation: replay is told what the forward hook sees, and the gateway what is on the wire.

Rules see inside addresses, so replay's packets have inside addresses in both directions, and replay translates nothing.  What
arrives from the outside is on its way to the gateway's own address and a port of its choice: this module is the far end, which
answers where packets came from.  It looks at each packet that comes out, remembers its source for the conversation, and writes
it over the inside address of the packets that go the other way; to a forwarded port it writes the gateway's.

What comes out outside is written back before it is compared; inside it must be the very packet.

Linux translates no INVALID packet: from the outside it is then for the gateway itself, and no rule sees it.  Not sent, with all
that follows in that conversation: what opens a connection anew from the outside, which replay cannot tell from the old one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.conntrack import segments
from tests.conntrack.segments import Pair
from tests.fidelity.compare import Difference, compare, excuses
from tests.fidelity.enforced import WAYS, expressible, read_policy
from tests.fidelity.gateway import IN, OUT, Gateway, ethernet, one_processor
from tests.fidelity.headers import CHECKSUMS, fix_checksums, fix_ipv4, header_length, with_word
from tests.fidelity.places import End, Place, Talk, ends_of, place_of, ports_of, rewritten, with_destination, with_end
from tests.fidelity.policies import PolicyText, another_policy, policy
from tests.fidelity.traffic import FEW_PORTS, SERVERS4, SERVERS6, Sent, link_of, pair, traffic
from tests.fidelity.trial import Change, Compared, Half, Trial
from tests.fidelity.witness import Name, name_of, story
from twinwall.path.reason import StageName
from twinwall.policy.model import Mode
from twinwall.render.marks import GENERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fidelity.replayed import Answer, Replayed
    from twinwall.live.nflog import LoggedPacket
    from twinwall.policy.model import Policy

OWN4, OWN6, MORE4, MORE6 = "192.0.2.1", "2001:db8:77::1", "192.0.2.77", "2001:db8:77::77"  # of the gateway, outside
OPENED_ANEW = "a translated connection, from where it is opened anew from the outside"
PATIENCE = 2  # seconds for a packet that replay lets out; without it the trial differs
ADDRESSES = "".join(
    f"addr add {each}/{'128 dev out0 nodad' if ':' in each else '32 dev out0'}\n" for each in (OWN4, OWN6, MORE4, MORE6)
)
# Packets for the gateway itself: nobody there may answer them.
NOBODY = """
table inet nobody {
  chain input { type filter hook input priority 0; policy accept;
    iifname { "in0", "out0" } drop
  }
}
"""
SOURCES = (
    "  masquerade: [out0]\n",
    f"  source:\n    - {{interface: out0, address: {MORE4}}}\n    - {{interface: out0, address: '{MORE6}'}}\n",
    f"  source:\n    - {{interface: out0, source: '10.0.0.0/30', address: {MORE4}}}\n  masquerade: [out0]\n",
    "",
)
FORWARDS = (
    f"    - {{interface: out0, protocol: tcp, ports: 8443, to: '10.0.0.5:443', address: {OWN4}}}\n",
    "    - {interface: out0, protocol: tcp, ports: 80, to: 10.0.0.1}\n",
    "    - {interface: out0, protocol: udp, ports: 5353, to: '10.0.0.2:53'}\n",
    f"    - {{interface: out0, protocol: tcp, ports: 22, to: '2001:db8::2', address: '{OWN6}'}}\n",
)


Forwards = dict[tuple[int, End], End]  # protocol and inside end → what is on the wire


def nat_section(rng: Random) -> str:
    """A `nat` section."""
    forwards = [each for each in FORWARDS if rng.random() < 0.6]
    sources = rng.choice(SOURCES if forwards else SOURCES[:-1])
    return "nat:\n" + sources + ("  forward:\n" + "".join(forwards) if forwards else "")


class FarEnd:
    """Who answers outside: `wire` says how a packet stands on the wire, the others learn what Linux translates."""

    def __init__(self) -> None:
        self.forwards: Forwards = {}
        self._seen: dict[Talk, End] = {}
        self._flows: dict[Talk, int] = {}  # the last that began in each conversation
        self._lost: set[Talk] = set()

    def target(self, talk: Talk) -> End | None:
        """Where the outside has to send a packet of the conversation; None: to the inside address itself."""
        return self._seen.get(talk) or self._forward(talk)

    def _forward(self, talk: Talk) -> End | None:
        return self.forwards.get((talk.protocol, talk.inside))

    def wire(self, packet: bytes, place: Place) -> bytes:
        """The packet on the wire."""
        target = None if place.leaves else self.target(place.talk)
        if target is None:
            return packet
        if not place.quoted:
            return with_end(packet, target, source=False)
        start = header_length(packet) + 8
        quoted = rewritten(packet[start:], target)
        return fix_checksums(with_destination(packet[:start], target.address) + fix_ipv4(quoted))

    def came(self, packet: bytes, place: Place) -> None:
        """A packet of the conversation came out outside."""
        ports = ports_of(packet)
        if ports is not None and not place.quoted:
            self._seen[place.talk] = ends_of(packet, ports)[0]

    def opened_anew(self, place: Place, answer: Answer, flow: int) -> bool:
        """Whether the conversation was opened anew from the outside, now or before, where Linux translates what is there."""
        talk = place.talk
        if answer.label == "new original" and not place.quoted:
            other = self._flows.get(talk, flow) != flow and self.target(talk) != self._forward(talk)
            if other and not place.leaves:
                self._lost.add(talk)
            if answer.verdict == "pass" and self._flows.get(talk) != flow:
                self._flows[talk] = flow
                if not place.leaves:
                    self._seen[talk] = self._forward(talk) or talk.inside
        return talk in self._lost


def forwards_of(policy: Policy) -> Forwards:
    """Where the outside finds inside ends, by the policy's forwards."""
    found: Forwards = {}
    for each in policy.nat.forward:
        own = each.address or (OWN6 if ":" in each.to_address else OWN4)
        port, to = each.ports[0], each.to_port or each.ports[0]
        found[each.protocol, End(ip_address(each.to_address).packed, to)] = End(ip_address(own).packed, port)
    return found


class TranslatingGateway(Gateway):
    """A gateway with addresses of its own, and the far end."""

    def __init__(self) -> None:
        super().__init__()
        self.far = FarEnd()

    def _wire(self) -> None:
        super()._wire()
        self.router.run("ip", "-batch", "-", text=ADDRESSES)
        self.router.run("nft", "-f", "-", text=NOBODY)


@dataclass(frozen=True)
class TranslatedTrial(Trial):
    """A trial with a `nat` section in its policies; `sent` are packets that `place_of` knows."""

    def gateway(self) -> Gateway:
        return TranslatingGateway()

    def compared(self, gateway: Gateway, half: Half) -> Compared:
        assert isinstance(gateway, TranslatingGateway)
        far = gateway.far
        far.forwards = forwards_of(half.policy)
        driven = drive(gateway, far, half)
        seen = story(driven.messages, driven.frames)
        long = excuses(half.sent, half.replayed, half.way)
        found = compare(half.sent, told(half.replayed, driven.unseen), seen, frozenset({*driven.skipped, *long}))
        excused = Counter({**long, **dict.fromkeys(driven.skipped, OPENED_ANEW)}.values())
        return Compared([*found, *moved(half.sent, seen.out)], excused)


def translated_trial(seed: int, packets: int) -> tuple[TranslatedTrial, Counter[str]]:
    """A trial with translation; some change the policy in the middle, and some of these the translation too.

    The stateless stage, which stands in front of it and sees other addresses, forwards everything.
    """
    rng = Random(seed)
    section, way = nat_section(rng), WAYS[seed % len(WAYS)]
    text, refused = expressible(with_section(policy(rng), section), way)
    inside = [end for _, end in forwards_of(read_policy(str(text)))]

    def pairs(rng: Random) -> Pair:
        if not inside or rng.random() < 0.6:
            return pair(rng)
        target = rng.choice(inside)
        client = rng.choice(SERVERS4 if len(target.address) == 4 else SERVERS6)
        port = rng.choice(FEW_PORTS) if rng.random() < 0.3 else rng.randrange(1024, 65536)
        return Pair(segments.End(client, port), segments.End(str(ip_address(target.address)), target.port))

    drawn = [each for each in traffic(rng, packets, pairs) if each.link == link_of(each.packet)]
    sent = [each._replace(packet=with_a_sum(each.packet, place)) for each in drawn if (place := place_of(each.packet))]
    trial = TranslatedTrial(text, sent, way, Mode.GATEWAY, 1 + seed % GENERATIONS)
    if rng.random() < 0.5:
        return trial, refused
    way = rng.choice(WAYS)
    then, more = expressible(with_section(another_policy(rng, text), section if rng.random() < 0.6 else nat_section(rng)), way)
    return replace(trial, change=Change(then, way, sent[len(sent) // 2].ident)), refused + more


def with_section(text: PolicyText, section: str) -> PolicyText:
    """The policy with translation and without a stateless stage that judges."""
    return replace(text, settings=text.settings + section, stateless="  default: forward\n", stateless_rules=())


def with_a_sum(packet: bytes, place: Place) -> bytes:
    """An error that quotes a checksum which is neither 0 nor -0, of which there is no telling what they were before."""
    start = header_length(packet) + 8
    if not place.quoted:
        return packet
    at = start + header_length(packet[start:]) + CHECKSUMS[place.talk.protocol]
    return fix_checksums(with_word(packet, at, 0x1234)) if len(packet) >= at + 2 else packet


class Driven(NamedTuple):
    """What a gateway did: messages, and what came out as the inside knows it."""

    messages: list[LoggedPacket]
    frames: dict[str, list[bytes]]
    unseen: set[int]  # packets for the gateway itself
    skipped: set[int]  # packets that were not sent


def drive(gateway: Gateway, far: FarEnd, half: Half) -> Driven:
    """Send packet by packet, as the far end knows how."""
    out: dict[str, list[bytes]] = {IN: [], OUT: []}
    unseen, skipped = set(), set()
    flows = half.replayed.decisions["flow_id"].tolist()
    with one_processor():
        for index, (each, answer) in enumerate(zip(half.sent, half.replayed.answers, strict=True)):
            place = place_of(each.packet)
            assert place is not None
            if far.opened_anew(place, answer, flows[index]):
                skipped.add(index)
                continue
            wire = far.wire(each.packet, place)
            if wire != each.packet and answer.label == "invalid":
                unseen.add(index)
            gateway.put(each.link, ethernet(each.link, wire))
            leaves = place.leaves and answer.verdict == "pass"
            for link, frame in come_out(gateway, name_of(each.packet) if leaves else None):
                packet = frame[14:]
                if link == OUT and place.leaves and name_of(packet) == name_of(each.packet):
                    if answer.label != "invalid":  # which Linux does not translate
                        far.came(packet, place)
                    packet = as_inside(packet, each.packet, place)
                out[link].append(frame[:14] + packet)
    messages, rest = gateway.send([])
    return Driven(messages, {link: out[link] + rest[link] for link in out}, unseen, skipped)


def come_out(gateway: Gateway, wanted: Name | None) -> Iterator[tuple[str, bytes]]:
    """What comes out, with its link, until the packet that is wanted outside has."""
    while True:
        found = list(gateway.taken(PATIENCE if wanted else 0))
        yield from found
        if not found or wanted is None or any(link == OUT and name_of(frame[14:]) == wanted for link, frame in found):
            return


def as_inside(packet: bytes, sent: bytes, place: Place) -> bytes:
    """What came out outside, from the end that it had inside; of an error only the addresses."""
    if place.quoted:
        return packet[: header_length(packet)] + sent[header_length(sent) :]
    ports = ports_of(sent)
    assert ports is not None
    return with_end(packet, ends_of(sent, ports)[0], source=True)


def told(replayed: Replayed, unseen: set[int]) -> Replayed:
    """Replay's answers, where nobody sees those packets."""
    answers, decisions = list(replayed.answers), replayed.decisions.copy()
    for index in unseen:
        answers[index] = answers[index]._replace(verdict="drop")
        decisions["stage"][index] = StageName.STATELESS
    return replayed._replace(answers=answers, decisions=decisions)


def moved(sent: Sequence[Sent], out: dict) -> Iterator[Difference]:
    """Packets that came out with other addresses than rules saw."""
    for index, each in enumerate(sent):
        for packet in out.get(name_of(each.packet), ()):
            place = place_of(each.packet)
            if place is not None and not place.quoted and ends_of(packet, (0, 0)) != ends_of(each.packet, (0, 0)):
                yield Difference(index, "comes out with its own addresses", packet.hex())
