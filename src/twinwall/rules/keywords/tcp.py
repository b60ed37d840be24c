"""Keywords that look at the TCP header."""

from __future__ import annotations

import re
from collections.abc import Iterable

from twinwall.policy.model import Condition, PacketField, Rule
from twinwall.rules.draft import Draft
from twinwall.rules.keyword import Keyword, UnprintableError, Where, bad_value, conditions_on
from twinwall.rules.keywords.ip import equalling
from twinwall.rules.numbers import print_plain, read_plain

FLAG_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
FLAGS_OF_GROUPS = 1 | 2 | 4  # FIN, SYN, RST
DIGIT_FLAGS = {"2": 64, "1": 128}
FLAGS = re.compile(
    r"\s*(?P<before>[!+*])?\s*(?P<letters>[SAPRFU120CE]+)(?P<after>[!+*])?(?:\s*,\s*(?P<ignored>[SAPRFU12CE]+))?\s*"
)
HINT = (
    "write letters of FSRPAUEC (12 for the two ECN bits, 0 for none), `!`, `+` or `*` in front, and `,12` for flags to ignore"
)


def _read_flags(value: str, draft: Draft) -> None:
    match = FLAGS.fullmatch(value)
    if match is None or (match["before"] and match["after"]):
        raise bad_value(value, f"{value.strip()!r} are not TCP flags", HINT)
    wanted = _bits(match["letters"])
    modifier = match["before"] or match["after"] or ""
    draft.conditions.append(flags_condition(wanted, modifier, 0xFF & ~_bits(match["ignored"] or "")))
    if draft.stateful and modifier in ("!", "*"):
        draft.conditions += _groups(wanted, modifier)


def _groups(wanted: int, modifier: str) -> list[Condition]:
    """What Suricata asks besides: it looks at a rule that names SYN, FIN or RST only for packets with one of these flags.

    So `!S` matches no bare ACK, and `*SA` only packets with SYN (measured with 7.0.10; its manual does not say so).  AWS
    Network Firewall runs that engine.  The stateless stage, which is ours, keeps to what the keyword says.
    """
    if modifier == "*" and wanted & FLAG_BITS["S"]:
        return [flags_condition(FLAG_BITS["S"], "+", 0xFF)]
    return [flags_condition(FLAGS_OF_GROUPS, "*", 0xFF)] if wanted & FLAGS_OF_GROUPS else []


def _bits(letters: str) -> int:
    """The flags that the letters name; `0` takes back all before it, as in Suricata."""
    bits = 0
    for letter in letters:
        bits = 0 if letter == "0" else bits | (FLAG_BITS.get(letter) or DIGIT_FLAGS[letter])
    return bits


def flags_condition(wanted: int, modifier: str, examined: int) -> Condition:
    """What the keyword means: flags outside `examined` count as clear, except where no flag at all is wanted."""
    field = PacketField.TCP_FLAGS
    if wanted == 0:
        if modifier == "*":
            return Condition(field, (), 0xFF)
        return Condition(field, ((0, 0),), 0xFF, negated=modifier == "!")
    if modifier == "*":
        return Condition(field, ((0, 0),), wanted & examined, negated=True)
    if wanted & ~examined:  # a flag is wanted and ignored at the same time: it never counts as set
        return Condition(field, ((0, 0),), 0) if modifier == "!" else Condition(field, (), 0xFF)
    if modifier == "":
        return Condition(field, ((wanted, wanted),), examined)
    return Condition(field, ((wanted, wanted),), wanted, negated=modifier == "!")


def _letters(bits: int) -> str:
    return "".join(letter for letter, bit in FLAG_BITS.items() if bits & bit)


def _print_flags(condition: Condition) -> str:
    if not condition.ranges:
        return "*0"
    if condition.mask == 0 and condition.ranges == ((0, 0),) and not condition.negated:
        return "!S,S"
    if len(condition.ranges) != 1 or condition.ranges[0][0] != condition.ranges[0][1]:
        raise UnprintableError("a choice of TCP flags")
    wanted, mask = condition.ranges[0][0], condition.mask & 0xFF
    if condition.negated:
        if wanted not in (0, mask):
            raise UnprintableError("a denied combination of TCP flags")
        if wanted == 0:
            return "!0" if mask == 0xFF else f"*{_letters(mask)}"
        return f"!{_letters(wanted)}"
    if wanted == mask:
        return f"+{_letters(wanted)}"
    if mask == 0xFF:
        return _letters(wanted) or "0"
    if wanted == 0:
        raise UnprintableError("TCP flags that are all clear")
    return f"{_letters(wanted)},{_letters(0xFF & ~mask)}"


def _write_flags(rule: Rule) -> Iterable[str]:
    return [_print_flags(condition) for condition in conditions_on(rule, PacketField.TCP_FLAGS)]


def _read_window(value: str, draft: Draft) -> None:
    text = value.lstrip()
    negated = text.startswith("!")
    number = read_plain(text[1:] if negated else text, 65535)
    draft.conditions.append(Condition(PacketField.WINDOW, ((number, number),), negated=negated))


def _write_window(rule: Rule) -> Iterable[str]:
    return [print_plain(condition) for condition in conditions_on(rule, PacketField.WINDOW)]


KEYWORDS = (
    Keyword(
        "flags",
        "tcp",
        "letters of `FSRPAUEC12`, or `0`; `+` at least these, `*` any of them, `!` not all of them; `,12`: ignore these",
        "TCP flags",
        _read_flags,
        _write_flags,
        aliases=("tcp.flags",),
        packet=True,
    ),
    Keyword(
        "seq",
        "tcp",
        "`N`",
        "TCP sequence number",
        *equalling(PacketField.SEQ, 0xFFFFFFFF),
        aliases=("tcp.seq",),
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "ack",
        "tcp",
        "`N`",
        "TCP acknowledgment number",
        *equalling(PacketField.ACK, 0xFFFFFFFF),
        aliases=("tcp.ack",),
        packet=True,
        where=Where.STATEFUL,
    ),
    Keyword(
        "window",
        "tcp",
        "`N`, `!N`",
        "TCP window as it stands in the header",
        _read_window,
        _write_window,
        aliases=("tcp.window",),
        packet=True,
        where=Where.STATEFUL,
    ),
)
