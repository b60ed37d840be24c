"""Reading packets in words; `engine.spoken` has the grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from twinwall.engine.spoken import EXAMPLE, Endpoint, Fragment, Host, SpokenPacket
from twinwall.engine.spoken_error import SpokenError
from twinwall.engine.spoken_items import ICMPS, NUMBERS, PLACE_WORDS, NumberItem, choices, example_of
from twinwall.engine.vocabulary import ANSWERS, CHUNKS, FLAG_LETTERS, MESSAGES, NO_FLAGS, PORTED, PROTOCOLS, UNITS
from twinwall.path.layout import ICMP, ICMP6, SCTP, TCP

TOKEN = re.compile(r"[()<>]|[^\s()<>]+")
NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
ENDPOINT = re.compile(
    r"(?P<v4>[0-9.]+)(:(?P<p4>[0-9]{1,5}))?|\[(?P<v6>[0-9A-Fa-f:.]+)\](:(?P<p6>[0-9]{1,5}))?|(?P<bare>[0-9A-Fa-f:.]+)", re.ASCII
)
DURATION = re.compile(r"([0-9]{1,10})(ns|us|ms|s|m|h)", re.ASCII)
MESSAGE = re.compile(r"([0-9]{1,3})/([0-9]{1,3})", re.ASCII)
VLAN_TAGS = 4  # as many as the decoder follows
DAY = 86_400 * UNITS["s"]
FARTHEST_FRAGMENT = 65_528


@dataclass(frozen=True, slots=True)
class _Token:
    """A word of the text, and where it begins."""

    text: str
    column: int  # from 1


def parse_packet(text: str, opening: SpokenPacket | None = None) -> SpokenPacket:
    """The packet that `text` says.  `opening` is the conversation's last packet written out, to which `<` and `>` refer.

    Raises `SpokenError`, and nothing else, for whatever it does not understand.
    """
    parser = _Parser(text, opening)
    packet = parser.packet()
    parser.end()
    return packet


class _Parser:
    """A cursor over the tokens of one text."""

    def __init__(self, text: str, opening: SpokenPacket | None) -> None:
        self.text = text
        self.opening = opening
        self.tokens = [_Token(match[0], match.start() + 1) for match in TOKEN.finditer(text)]
        self.at = 0
        self.said: set[str] = set()

    def fail(self, token: _Token | None, expected: str, example: str = EXAMPLE) -> SpokenError:
        """The error at a token; None: at the end of the text."""
        return SpokenError(self.text, token.column if token else len(self.text.rstrip()) + 1, expected, example)

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, expected: str, example: str = EXAMPLE) -> _Token:
        token = self.peek()
        if token is None:
            raise self.fail(None, expected, example)
        self.at += 1
        return token

    def end(self) -> None:
        token = self.peek()
        if token is not None:
            raise self.fail(token, "the end of the packet")

    def packet(self, *, quoted: bool = False) -> SpokenPacket:
        first = self.take("a protocol, such as tcp, udp or icmp")
        if first.text in ("<", ">") and not quoted:
            packet = self._turn(first)
        else:
            packet = self._headline(first)
        while (token := self.peek()) is not None and not (quoted and token.text == ")"):
            self.at += 1
            if quoted and token.text in PLACE_WORDS:
                raise self.fail(token, f"no `{token.text}` in a quoted packet", "for (tcp 10.0.0.5:40000 > 192.0.2.1:443 S)")
            packet = self._item(packet, token)
        return self._whole(packet)

    def _turn(self, first: _Token) -> SpokenPacket:
        """`>` or `<`: the opening packet's flow, one way or the other."""
        opening = self.opening
        if opening is None:
            raise self.fail(first, "a packet written out before the first < or >")
        kept = SpokenPacket(
            opening.protocol, opening.source, opening.destination, message=opening.message, chunk=opening.chunk,
            ident=opening.ident, seq=opening.seq if opening.protocol in ICMPS else None, key=opening.key, vlans=(),
        )  # fmt: skip
        if first.text == ">":
            return replace(kept, interface=opening.interface)
        answer = ANSWERS.get(opening.protocol, {}).get(opening.message or (-1, 0), opening.message)
        return replace(kept, source=opening.destination, destination=opening.source, message=answer)

    def _headline(self, first: _Token) -> SpokenPacket:
        protocol = self._protocol(first)
        source = self._endpoint(protocol)
        arrow = self.take("`>` and the destination")
        if arrow.text != ">":
            raise self.fail(arrow, "`>` and the destination")
        token = self.peek()
        destination = self._endpoint(protocol)
        if destination.host.version != source.host.version:
            raise self.fail(token, f"an IPv{source.host.version} address, as the source is")
        version = {ICMP: 4, ICMP6: 6}.get(protocol)
        if version is not None and source.host.version != version:
            raise self.fail(token, f"IPv{version} addresses for {first.text}", "icmp6 2001:db8::1 > 2001:db8::2 echo-request")
        return SpokenPacket(protocol, source, destination)

    def _protocol(self, first: _Token) -> int:
        if first.text == "ip":
            return self._number(self.take("a protocol number", "ip 89 10.0.0.1 > 224.0.0.5"), 255, "ip 89 10.0.0.1 > 224.0.0.5")
        if first.text not in PROTOCOLS:
            raise self.fail(first, f"a protocol: {', '.join(PROTOCOLS)} or ip N")
        return PROTOCOLS[first.text]

    def _number(self, token: _Token, highest: int, example: str) -> int:
        if not NUMBER.fullmatch(token.text) or int(token.text) > highest:
            raise self.fail(token, f"a number from 0 to {highest}", example)
        return int(token.text)

    def _endpoint(self, protocol: int) -> Endpoint:
        ported = protocol in PORTED
        expected = "an address and port" if ported else "an address"
        example = EXAMPLE if ported else "icmp 10.0.0.5 > 198.51.100.7 echo-request"
        token = self.take(expected, example)
        match = ENDPOINT.fullmatch(token.text)
        if match is None:
            raise self.fail(token, expected, example)
        host, port = _host(match["v4"] or match["v6"] or match["bare"]), match["p4"] or match["p6"]
        if host is None:
            raise self.fail(token, expected, example)
        if ported and port is None:
            raise self.fail(token, "a port behind the address, such as 10.0.0.5:443 or [2001:db8::1]:443", example)
        if not ported and port is not None:
            raise self.fail(token, "an address without a port", example)
        if port is not None and int(port) > 0xFFFF:
            raise self.fail(token, "a port from 0 to 65535", example)
        return Endpoint(host, None if port is None else int(port))

    def _item(self, packet: SpokenPacket, token: _Token) -> SpokenPacket:
        """The packet with what an item says."""
        word = token.text
        if word in NUMBERS:
            return self._numbered(packet, token, NUMBERS[word])
        if word == "df":
            return self._set(packet, token, dont_fragment=True)
        if word == "frag":
            return self._set(packet, token, fragment=self._fragment())
        if word == "iface":
            return self._set(packet, token, interface=self.take("an interface's name", "iface eth0").text)
        if word == "vlan":
            number = self._number(self.take("a VLAN's number", "vlan 100"), 4095, "vlan 100")
            if len(packet.vlans) == VLAN_TAGS:
                raise self.fail(token, f"at most {VLAN_TAGS} VLAN tags", "vlan 100 vlan 200")
            return replace(packet, vlans=(*packet.vlans, number))
        if word == "after":
            return self._set(packet, token, after=self._duration())
        return self._special(packet, token)

    def _special(self, packet: SpokenPacket, token: _Token) -> SpokenPacket:
        """Items that one protocol has."""
        word = token.text
        if packet.protocol == TCP and (word == NO_FLAGS or all(letter in FLAG_LETTERS for letter in word)):
            flags = 0
            for letter in word if word != NO_FLAGS else "":
                flags |= FLAG_LETTERS[letter]
            return self._set(packet, token, flags=flags)
        if packet.protocol == SCTP and word in CHUNKS:
            return self._set(packet, token, chunk=CHUNKS[word])
        if packet.protocol == SCTP and word == "chunk":
            return self._set(packet, token, chunk=self._number(self.take("a chunk type", "chunk 130"), 255, "chunk 130"))
        if packet.protocol in ICMPS:
            match = MESSAGE.fullmatch(word)
            if match and int(match[1]) <= 255 and int(match[2]) <= 255:
                return self._set(packet, token, message=(int(match[1]), int(match[2])))
            if word in MESSAGES[packet.protocol]:
                return self._set(packet, token, message=MESSAGES[packet.protocol][word])
            if word == "for":
                return self._set(packet, token, quote=self._quote())
        raise self.fail(token, choices(packet.protocol), example_of(packet.protocol))

    def _numbered(self, packet: SpokenPacket, token: _Token, item: NumberItem) -> SpokenPacket:
        example = f"{token.text} {min(item.highest, 1400)}"
        if item.protocols and packet.protocol not in item.protocols:
            raise self.fail(
                token, f"no `{token.text}`: this protocol has none; {choices(packet.protocol)}", example_of(packet.protocol)
            )
        name = "ident" if token.text == "id" and packet.protocol in ICMPS else item.field
        value = self._number(self.take("a number", example), item.highest, example)
        if name == "seq" and packet.protocol in ICMPS and value > 0xFFFF:
            raise self.fail(self.tokens[self.at - 1], "a number from 0 to 65535", "id 7 seq 1")
        return self._set(packet, token, **{name: value})

    def _set(self, packet: SpokenPacket, token: _Token, **fields: Any) -> SpokenPacket:  # noqa: ANN401 - values of any field
        """Set fields that may be said once only."""
        name = next(iter(fields))
        if name in self.said:
            raise self.fail(token, f"each of a packet's items once; `{token.text}` says again what stands before it")
        self.said.add(name)
        return replace(packet, **fields)

    def _fragment(self) -> Fragment:
        example = "frag 1480 or frag 0+"
        token = self.take("a fragment's offset in bytes", example)
        digits = token.text.removesuffix("+")
        if not NUMBER.fullmatch(digits) or int(digits) > FARTHEST_FRAGMENT or int(digits) % 8:
            raise self.fail(token, f"a multiple of 8 up to {FARTHEST_FRAGMENT}, with + if more pieces follow", example)
        return Fragment(int(digits), token.text.endswith("+"))

    def _duration(self) -> int:
        token = self.take("a duration", "after 30s")
        match = DURATION.fullmatch(token.text)
        if match is None or int(match[1]) * UNITS[match[2]] > 366 * DAY:
            raise self.fail(token, "a duration up to a year with its unit: ns, us, ms, s, m or h", "after 30s")
        return int(match[1]) * UNITS[match[2]]

    def _quote(self) -> SpokenPacket:
        example = "icmp 192.0.2.1 > 10.0.0.5 host-unreachable for (tcp 10.0.0.5:40000 > 198.51.100.7:443 S)"
        if self.take("`(` and the packet that the error quotes", example).text != "(":
            raise self.fail(self.tokens[self.at - 1], "`(` and the packet that the error quotes", example)
        said, self.said = self.said, set()
        packet = self.packet(quoted=True)
        self.said = said
        self.take("`)`", example)
        return packet

    def _whole(self, packet: SpokenPacket) -> SpokenPacket:
        """Checks that need the whole packet."""
        if packet.protocol in ICMPS and packet.message is None:
            raise self.fail(self.peek(), "a message, such as echo-request, or TYPE/CODE", example_of(packet.protocol))
        if packet.dont_fragment and packet.version == 6:
            raise self.fail(self.peek(), "no `df`: IPv6 has no such bit", "tcp [2001:db8::1]:40000 > [2001:db8::2]:443 S")
        return packet


def _host(text: str) -> Host | None:
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except (AddressValueError, ValueError):
        return None
