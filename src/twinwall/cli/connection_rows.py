"""A connection as a row of a table, and as JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

from twinwall.engine.vocabulary import duration_word, protocol_word
from twinwall.live.connection import ConntrackEntry, Counters, Status
from twinwall.policy.model import Rule

SECOND = 1_000_000_000
HEADINGS = ("protocol", "client", "server", "state", "verdict", "sid", "packets", "bytes", "age", "timeout")
RIGHT = frozenset(HEADINGS[6:])
UNITS = ("", "k", "M", "G", "T")


class Seen(NamedTuple):
    """A connection, and the rule that its mark speaks of."""

    entry: ConntrackEntry
    rule: Rule | None


def cells(seen: Seen, now: int) -> tuple[str, ...]:
    """The row; `now` in nanoseconds since 1970.  A dash stands for what does not apply or is not known."""
    entry = seen.entry
    packets, size = _totals(entry)
    age = "-" if not entry.start else duration_word((now - entry.start) // SECOND * SECOND)
    return (
        protocol_word(entry.protocol),
        str(entry.seen.client),
        str(entry.seen.server),
        state_word(entry),
        verdict_word(entry) or "-",
        str(seen.rule.sid) if seen.rule is not None else "-",
        "-" if packets is None else str(packets),
        "-" if size is None else short(size),
        age,
        "-" if entry.timeout is None else f"{entry.timeout}s",
    )


def sentence(seen: Seen) -> str:
    """The connection in one line, in the packet language."""
    entry = seen.entry
    sid = f" sid {seen.rule.sid}" if seen.rule is not None else ""
    ends = f"{protocol_word(entry.protocol)} {entry.seen.client} > {entry.seen.server}"
    return " ".join(word for word in (ends, state_word(entry), verdict_word(entry)) if word) + sid


def verdict_word(entry: ConntrackEntry) -> str:
    """What becomes of its packets without a further question: pass, drop; empty while each is asked."""
    return "pass" if entry.passing else entry.verdict


def state_word(entry: ConntrackEntry) -> str:
    """The protocol's state by Linux's name; for protocols without states, whether there was an answer."""
    return entry.state or ("replied" if entry.status & Status.SEEN_REPLY else "unreplied")


def counted(number: int) -> str:
    """How many connections."""
    return f"{number} connection{'' if number == 1 else 's'}"


def short(number: int) -> str:
    """A number in four characters or less, and its unit."""
    for unit in UNITS:
        if number < 10_000 or unit == UNITS[-1]:
            return f"{number}{unit}"
        number //= 1000
    return str(number)


def _totals(entry: ConntrackEntry) -> tuple[int | None, int | None]:
    sent, back = entry.original_counters, entry.reply_counters
    if sent is None or back is None:
        return None, None
    return sent.packets + back.packets, sent.bytes + back.bytes


def lines(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows under their headings, in columns."""
    table = [HEADINGS, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(HEADINGS))]
    return [
        "  ".join(
            cell.rjust(width) if name in RIGHT else cell.ljust(width)
            for cell, width, name in zip(row, widths, HEADINGS, strict=True)
        ).rstrip()
        for row in table
    ]


def data(seen: Seen) -> dict[str, Any]:
    """The connection as JSON; null for what the kernel does not tell."""
    entry = seen.entry
    ends = entry.seen
    return {
        "protocol": protocol_word(entry.protocol),
        "client": str(ends.client),
        "server": str(ends.server),
        "state": entry.state or None,
        "replied": bool(entry.status & Status.SEEN_REPLY),
        "assured": bool(entry.status & Status.ASSURED),
        "nat": _translation(entry),
        "verdict": verdict_word(entry) or None,
        "sid": seen.rule.sid if seen.rule is not None else None,
        "generation": entry.generation or None,
        "mark": entry.mark,
        "to_server": _counters(entry.original_counters),
        "to_client": _counters(entry.reply_counters),
        "start": entry.start / SECOND if entry.start else None,
        "timeout": entry.timeout,
    }


def _counters(counters: Counters | None) -> dict[str, int] | None:
    return None if counters is None else {"packets": counters.packets, "bytes": counters.bytes}


def _translation(entry: ConntrackEntry) -> dict[str, str] | None:
    """What the other side sees, where an end is translated."""
    if not entry.translated:
        return None
    back = entry.reply.reversed()
    return {"client": str(back.client), "server": str(entry.original.server)}
