"""Keywords that look at the IP header.

`tos`, `id`, `ipopts` and `fragbits` look at fields that only IPv4 has: a rule with one of them matches no IPv6 packet, which
the parser expresses by narrowing the rule's addresses to IPv4.  `ip_proto` narrows the rule's protocols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from twinwall.policy.codes import Code
from twinwall.policy.model import Condition, PacketField, Rule
from twinwall.policy.sets import normalise
from twinwall.rules.addresses import V4_ONLY
from twinwall.rules.draft import Draft
from twinwall.rules.keyword import Keyword, Read, UnprintableError, Value, Where, Write, bad_value, conditions_on
from twinwall.rules.located import Mistake
from twinwall.rules.numbers import print_comparison, print_plain, read_comparison, read_plain
from twinwall.rules.protocols import EVERY_PROTOCOL, PROTOCOL_NUMBERS, printed_protocol
from twinwall.rules.suggest import did_you_mean

# The bits of `path.layout`, which this package does not import because NumPy comes with it; a test compares them.
FRAG_BITS = {"M": 0x2000, "D": 0x4000, "R": 0x8000}
FRAG_MASK = 0xE000
IP_OPTIONS = {"rr": 1, "eol": 2, "nop": 4, "ts": 8, "sec": 16, "esec": 32, "lsrr": 64, "ssrr": 128, "satid": 256}
EVERY_OPTION = 0x3FF

TOS = re.compile(r"\s*(!)?\s*(?:[xX]([0-9a-fA-F]{1,2})|([0-9]{1,3}))\s*", re.ASCII)
PROTO = re.compile(r"\s*([!<>])?\s*([A-Za-z0-9.+-]+)\s*", re.ASCII)
MODIFIED = re.compile(r"\s*(?P<before>[!+*])?\s*(?P<letters>[MDR]+)(?P<after>[!+*])?\s*")


def comparing(field: PacketField, top: int, *, units: bool = False) -> tuple[Read, Write]:
    """The two functions of a keyword that compares one field."""

    def read(value: str, draft: Draft) -> None:
        draft.conditions.append(read_comparison(value, field, top, units=units))

    def write(rule: Rule) -> Iterable[str]:
        return [print_comparison(condition, top) for condition in conditions_on(rule, field)]

    return read, write


def equalling(field: PacketField, top: int, prepare: Callable[[Draft], None] | None = None) -> tuple[Read, Write]:
    """The two functions of a keyword that asks for one value."""

    def read(value: str, draft: Draft) -> None:
        number = read_plain(value, top)
        draft.conditions.append(Condition(field, ((number, number),)))
        if prepare is not None:
            prepare(draft)

    def write(rule: Rule) -> Iterable[str]:
        texts = [print_plain(condition) for condition in conditions_on(rule, field)]
        if any(text.startswith("!") for text in texts):
            raise UnprintableError(f"a denied {field.name}")
        return texts

    return read, write


def _v4(draft: Draft) -> None:
    draft.family = V4_ONLY


def _read_tos(value: str, draft: Draft) -> None:
    match = TOS.fullmatch(value)
    if match is None:
        raise bad_value(value, f"{value.strip()!r} is not a type of service", "write N, !N or hexadecimal xHH, 0 to 255")
    negation, hexadecimal, decimal = match.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if number > 255:
        raise bad_value(value, f"{number} is above 255")
    draft.conditions.append(Condition(PacketField.TOS, ((number, number),), negated=bool(negation)))
    _v4(draft)


def _write_tos(rule: Rule) -> Iterable[str]:
    return [print_plain(condition) for condition in conditions_on(rule, PacketField.TOS)]


def _read_ip_proto(value: str, draft: Draft) -> None:
    match = PROTO.fullmatch(value)
    if match is None:
        raise bad_value(value, f"{value.strip()!r} is not a protocol", "write a number or a name, with !, < or > in front")
    if draft.protocol_fixed:
        hint = "use `ip` as the rule's protocol, or leave ip_proto out"
        raise Mistake(Code.CONFLICT, "the rule's header already names a protocol", 0, len(value), hint)
    number = _protocol_number(value, match.group(2))
    matching = {
        None: frozenset({number}),
        "!": EVERY_PROTOCOL - {number},
        "<": frozenset(range(number)),
        ">": frozenset(range(number + 1, 256)),
    }[match.group(1)]
    matching &= EVERY_PROTOCOL if draft.protocols is None else draft.protocols
    if not matching:
        raise Mistake(Code.NEVER_MATCHES, "no protocol is left", 0, len(value))
    draft.protocols = matching


def _protocol_number(value: str, word: str) -> int:
    if word.isdecimal() and int(word[:4]) < 256:
        return int(word)
    number = PROTOCOL_NUMBERS.get(word.lower())
    if number is None:
        hint = did_you_mean(word, PROTOCOL_NUMBERS) or "protocol numbers are 0 to 255"
        raise bad_value(value, f"{word!r} is not a protocol", hint)
    return number


def _write_ip_proto(rule: Rule) -> Iterable[str]:
    if rule.protocols is None or printed_protocol(rule.protocols) != "ip":
        return []
    if len(rule.protocols) == 1:
        return [str(number) for number in rule.protocols]
    low, high = min(rule.protocols), max(rule.protocols)
    gaps = [number for number in range(low, high) if number not in rule.protocols]
    if len(gaps) > 32:
        raise UnprintableError("a set of protocols")
    bounds = [f">{low - 1}"] * (low > 0) + [f"<{high + 1}"] * (high < 255)
    return [*bounds, *(f"!{gap}" for gap in gaps)]


def _read_ipopts(value: str, draft: Draft) -> None:
    word = value.strip().lower()
    mask = EVERY_OPTION if word == "any" else IP_OPTIONS.get(word, 0)
    if not mask:
        raise bad_value(value, f"{value.strip()!r} is not an IP option", f"one of any, {', '.join(IP_OPTIONS)}")
    draft.conditions.append(Condition(PacketField.IP_OPTIONS, ((0, 0),), mask, negated=True))
    _v4(draft)


def _write_ipopts(rule: Rule) -> Iterable[str]:
    names = {mask: name for name, mask in IP_OPTIONS.items()} | {EVERY_OPTION: "any"}
    texts = []
    for condition in conditions_on(rule, PacketField.IP_OPTIONS):
        if condition.mask not in names or condition.ranges != ((0, 0),) or not condition.negated:
            raise UnprintableError("IP options")
        texts.append(names[condition.mask])
    return texts


def _read_fragbits(value: str, draft: Draft) -> None:
    match = MODIFIED.fullmatch(value)
    if match is None or (match["before"] and match["after"]):
        raise bad_value(
            value, f"{value.strip()!r} are not fragment bits", "write M, D, R with one of !, + or * in front; e.g. !D"
        )
    wanted = 0
    for letter in match["letters"]:
        wanted |= FRAG_BITS[letter]
    draft.conditions.append(Condition(PacketField.FRAG_BITS, _matching_bits(wanted, match["before"] or ""), FRAG_MASK))
    _v4(draft)


def _matching_bits(wanted: int, modifier: str) -> tuple[tuple[int, int], ...]:
    """The values of the three bits that satisfy the keyword; `+` asks for at least one bit more (Suricata's meaning)."""
    every = range(0, FRAG_MASK + 1, FRAG_BITS["M"])
    matching = [
        bits
        for bits in every
        if (modifier == "*" and bits & wanted)
        or (modifier == "+" and bits & wanted == wanted and bits != wanted)
        or (modifier == "!" and bits & wanted != wanted)
        or (modifier == "" and bits == wanted)
    ]
    return normalise((bits, bits) for bits in matching)


def _fragbits_texts() -> dict[tuple[tuple[int, int], ...], str]:
    texts: dict[tuple[tuple[int, int], ...], str] = {}
    for modifier in ("*", "!", "+", ""):
        for bits in range(7, 0, -1):
            letters = "".join(letter for letter, bit in FRAG_BITS.items() if bit >> 13 & bits)
            texts[_matching_bits(bits << 13, modifier)] = modifier + letters
    return texts


def _write_fragbits(rule: Rule) -> Iterable[str]:
    texts = _fragbits_texts()
    conditions = conditions_on(rule, PacketField.FRAG_BITS)
    if any(condition.ranges not in texts or condition.mask != FRAG_MASK or condition.negated for condition in conditions):
        raise UnprintableError("fragment bits")
    return [texts[condition.ranges] for condition in conditions]


def _read_fragoffset(value: str, draft: Draft) -> None:
    if value.strip()[:1] in ("!", "=") or value.strip()[1:2] == "=" or not value.strip().lstrip("<> ").isdecimal():
        raise bad_value(value, f"{value.strip()!r} is not a fragment offset", "write N, <N or >N, in units of 8 bytes")
    draft.conditions.append(read_comparison(value, PacketField.FRAG_OFFSET, 65535))


def _read_sameip(value: str, draft: Draft) -> None:  # noqa: ARG001 - there is no value
    draft.conditions.append(Condition(PacketField.SAME_ADDRESS, ((1, 1),)))


def _write_sameip(rule: Rule) -> Iterable[str]:
    return [""] * bool(conditions_on(rule, PacketField.SAME_ADDRESS))


_comparison = "`N`, `!N`, `<N`, `<=N`, `>N`, `>=N`, `N-M` (ends left out)"

KEYWORDS = (
    Keyword(
        "ttl",
        "ip",
        _comparison,
        "time to live, or IPv6 hop limit",
        *comparing(PacketField.TTL, 255),
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "tos",
        "ip",
        "`N`, `!N`, hexadecimal `xHH`",
        "IPv4 type of service (DSCP and ECN)",
        _read_tos,
        _write_tos,
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "id", "ip", "`N`", "IPv4 identification", *equalling(PacketField.IP_ID, 65535, _v4), packet=True, where=Where.STATEFUL
    ),
    Keyword(
        "ip_proto",
        "ip",
        "`N` or a name, with `!`, `<` or `>` in front",
        "the IP protocol number, for rules whose protocol is `ip`",
        _read_ip_proto,
        _write_ip_proto,
    ),
    Keyword(
        "ipopts",
        "ip",
        "`any`, " + ", ".join(f"`{name}`" for name in IP_OPTIONS),
        "an IPv4 option is present",
        _read_ipopts,
        _write_ipopts,
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "fragbits",
        "ip",
        "letters of `MDR`; `+` these and more, `*` any of them, `!` not all of them",
        "IPv4 more-fragments, don't-fragment and reserved bits",
        _read_fragbits,
        _write_fragbits,
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "fragoffset",
        "ip",
        "`N`, `<N`, `>N`",
        "the fragment's offset in units of 8 bytes",
        _read_fragoffset,
        comparing(PacketField.FRAG_OFFSET, 65535)[1],
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "sameip",
        "ip",
        "nothing",
        "source and destination address are equal",
        _read_sameip,
        _write_sameip,
        value=Value.NONE,
        packet=True,
        where=Where.STATEFUL,
        repeats=False,
    ),
)
