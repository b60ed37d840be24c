"""Which connections: the packet language of `explain`, where an end may be left open.

    filter    = [protocol] [endpoint [">" endpoint]] { word }
    protocol  = "tcp" | "udp" | "icmp" | … | "ip" NUMBER
    endpoint  = "any" | [ADDRESS | CIDR] [":" PORT["-" PORT]] | "[" IPV6 "]" [":" PORT["-" PORT]]
    word      = a protocol's state by Linux's name (ESTABLISHED, SYN_SENT, …)
              | "assured" | "unassured" | "replied" | "unreplied" | "nat"
              | "pass" | "drop" (what twinwall decided for the flow) | "sid" N | "mark" N["/" MASK]

One endpoint alone is either end.  Left of ">" stands the side that began, by its own address or by what it is translated to;
the same holds for the right side.  An empty filter is every connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from twinwall.conntrack.protocols.sctp import SctpState
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.engine.vocabulary import PORTED, PROTOCOLS
from twinwall.live.connection import ConntrackEntry, FiveTuple, Status

NO_STATES = {"NONE", "INVALID", "IGNORE"}
STATE_NAMES = {state.name for kind in (TcpState, SctpState) for state in kind} - NO_STATES
EXAMPLE = "tcp 10.0.0.0/8 > :443 ESTABLISHED"

Test = Callable[[ConntrackEntry], bool]
WORDS: dict[str, Test] = {
    "assured": lambda entry: bool(entry.status & Status.ASSURED),
    "unassured": lambda entry: not entry.status & Status.ASSURED,
    "replied": lambda entry: bool(entry.status & Status.SEEN_REPLY),
    "unreplied": lambda entry: not entry.status & Status.SEEN_REPLY,
    "nat": lambda entry: entry.translated,
    "pass": lambda entry: entry.passing,
    "drop": lambda entry: entry.verdict == "drop",
}


class FilterError(Exception):
    """A filter that is not understood: which word, why, and what to write instead."""

    def __init__(self, word: str, cause: str) -> None:
        super().__init__(f"{word!r}: {cause}\n    hint: a filter is written like `{EXAMPLE}`")


@dataclass(frozen=True, slots=True)
class Ends:
    """Which addresses and ports one end may have; None: any."""

    network: IPv4Network | IPv6Network | None = None
    ports: tuple[int, int] | None = None  # inclusive

    def holds(self, protocol: int, address: bytes, port: int) -> bool:
        """Whether an end of a connection is one of these."""
        if self.ports is not None and not (protocol in PORTED and self.ports[0] <= port <= self.ports[1]):
            return False
        if self.network is None:
            return True
        first = self.network.network_address.packed
        bits = 8 * len(first) - self.network.prefixlen
        return len(first) == len(address) and int.from_bytes(address) >> bits == int.from_bytes(first) >> bits

    def source_of(self, entry: ConntrackEntry) -> bool:
        """Whether the side that began the connection is one of these, by either of its addresses."""
        return any(self.holds(entry.protocol, ends.source, ends.source_port) for ends in _views(entry))

    def destination_of(self, entry: ConntrackEntry) -> bool:
        """The same of the other side."""
        return any(self.holds(entry.protocol, ends.destination, ends.destination_port) for ends in _views(entry))


def _views(entry: ConntrackEntry) -> tuple[FiveTuple, FiveTuple]:
    return entry.original, entry.reply.reversed()


def parse_filter(text: str, numbers_of: Callable[[int], frozenset[int]] | None = None) -> Test:
    """The test that a filter stands for.  `numbers_of`: the numbers that rules with a sid have in connection marks.

    Raises `FilterError`.
    """
    return _Reader(text.split(), numbers_of).read()


class _Reader:
    def __init__(self, words: list[str], numbers_of: Callable[[int], frozenset[int]] | None) -> None:
        self._words = words
        self._numbers_of = numbers_of

    def read(self) -> Test:
        tests = [*self._protocol(), *self._ends()]
        while self._words:
            tests.append(self._word(self._words.pop(0)))
        return lambda entry: all(test(entry) for test in tests)

    def _protocol(self) -> list[Test]:
        if not self._words or not (self._words[0] in PROTOCOLS or self._words[0] == "ip"):
            return []
        word = self._words.pop(0)
        number = PROTOCOLS[word] if word in PROTOCOLS else self._number("ip", 255)
        return [lambda entry: entry.protocol == number]

    def _ends(self) -> list[Test]:
        source = self._endpoint()
        if not self._words or self._words[0] != ">":
            if source is None:
                return []
            either = source
            return [lambda entry: either.source_of(entry) or either.destination_of(entry)]
        self._words.pop(0)
        tests: list[Test] = [] if source is None else [source.source_of]
        destination = self._endpoint()
        if destination is not None:
            tests.append(destination.destination_of)
        return tests

    def _endpoint(self) -> Ends | None:
        if not self._words or not _is_endpoint(self._words[0]):
            return None
        return endpoint(self._words.pop(0))

    def _word(self, word: str) -> Test:
        if word in WORDS:
            return WORDS[word]
        if word.upper() in STATE_NAMES:
            return lambda entry: entry.state == word.upper()
        if word == "sid":
            return self._sid(self._number(word, 0xFFFFFFFF))
        if word == "mark":
            return self._mark()
        raise FilterError(word, "no part of a filter")

    def _sid(self, sid: int) -> Test:
        if self._numbers_of is None:
            raise FilterError(f"sid {sid}", "the rules are not known here; name their policy with --policy")
        numbers = self._numbers_of(sid)
        if not numbers:
            raise FilterError(f"sid {sid}", "no stateful rule has this sid")
        return lambda entry: entry.rule_number in numbers

    def _mark(self) -> Test:
        if not self._words:
            raise FilterError("mark", "a number is missing behind it")
        word = self._words.pop(0)
        value, _, mask = word.partition("/")
        try:
            wanted, bits = int(value, 0), int(mask, 0) if mask else 0xFFFFFFFF
        except ValueError:
            raise FilterError(word, "no mark; write 0x10 or 0x10/0xff") from None
        return lambda entry: entry.mark & bits == wanted & bits

    def _number(self, word: str, highest: int) -> int:
        digits = self._words.pop(0) if self._words else ""
        if not digits.isascii() or not digits.isdecimal() or int(digits) > highest:
            raise FilterError(f"{word} {digits}".rstrip(), f"a number from 0 to {highest} belongs behind {word}")
        return int(digits)


def endpoint(word: str) -> Ends:
    """One end, as it is written in a filter.  Raises `FilterError`."""
    if word == "any":
        return Ends()
    address, ports = _split(word)
    try:
        network = ip_network(address, strict=False) if address else None
    except ValueError:
        raise FilterError(word, "no address, and no CIDR") from None
    return Ends(network, _ports(word, ports) if ports else None)


def _is_endpoint(word: str) -> bool:
    return word == "any" or ":" in word or "." in word or word.startswith("[")


def _split(word: str) -> tuple[str, str]:
    """Address and ports of an endpoint, either may be empty."""
    if word.startswith("["):
        address, _, rest = word[1:].partition("]")
        return address, rest.removeprefix(":")
    if word.count(":") > 1:
        return word, ""
    address, _, ports = word.partition(":")
    return address, ports


def _ports(word: str, text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    numbers = [int(each) if each.isascii() and each.isdecimal() else -1 for each in (first, last if dash else first)]
    if not 0 <= numbers[0] <= numbers[1] <= 65535:
        raise FilterError(word, "no port, and no range of ports such as 8000-8080")
    return numbers[0], numbers[1]
