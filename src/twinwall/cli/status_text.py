"""`twinwall status` for people: what is in force, how it runs, what it counted, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from twinwall.cli.connection_rows import short
from twinwall.enforce.lock import Holder
from twinwall.enforce.recovery import describe
from twinwall.enforce.status import Interface, Status
from twinwall.enforce.status_counts import RuleCount, VerdictCount
from twinwall.enforce.status_problems import problems, remarks

NAMES = 12  # columns that the names of facts take
MOST_RULES = 10  # the busiest, where not all were asked for
LONGEST_RULE = 100

Rates = Mapping[tuple[str, int], float]  # packets a second, by stage and sid


def status_lines(status: Status, *, every: bool, rates: Rates | None = None) -> Iterator[str]:
    """The lines.  `every`: all rules, in their order; else the busiest.  `rates`: also what they match a second."""
    yield from _problems(status)
    yield from (f"{name:<{NAMES}}{text}" for name, text in _facts(status))
    for remark in remarks(status):
        yield f"{'note':<{NAMES}}{remark}"
    if status.force is not None:
        yield ""
        yield from _verdicts(status.counted.verdicts)
        yield ""
        yield from _rules(status.counted.rules, every=every, rates=rates)


def _problems(status: Status) -> Iterator[str]:
    for problem in problems(status):
        yield f"PROBLEM: {problem.text}"
        yield f"    hint: {problem.remedy}"


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    force = status.force
    if force is not None:
        by = f" by {status.by}" if status.by else ""
        yield "policy", f"{describe(force)}, generation {force.generation}, in force since {force.since}{by}"
        if status.confirmed is not None and status.confirmed.policy is not None:
            same = status.confirmed.policy.digest == force.chosen.digest
            other = f"{status.confirmed.policy.name} ({status.confirmed.policy.digest[:12]})"
            yield "at boot", "this policy" if same else f"another policy: {other}"
        else:
            yield "at boot", "no policy is confirmed"
    if status.policy is not None and status.policy.attach is not None:
        yield "mode", status.policy.attach.mode.value
    for each in status.interfaces:
        yield "interface", f"{each.name}: {_way(each)}"
    yield from _kernel(status)
    if force is not None or status.pending is not None:
        yield from _on_duty(status)


def _kernel(status: Status) -> Iterator[tuple[str, str]]:
    table = status.table
    if table is not None:
        share = f" ({100 * table.entries / table.limit:.0f} %)" if table.limit else ""
        full = table.statistics.get("drop", 0)
        yield "connections", f"{table.entries:,} of {table.limit:,}{share}; refused because the table was full: {full:,}"
    for queue in status.queues:
        refused = queue.refused_full + queue.refused_socket
        who = status.receivers.queues.get(queue.number, "somebody")
        yield (
            f"queue {queue.number}",
            f"{queue.waiting:,} wait; {queue.queued:,} so far, {refused:,} without room; {who} receives it",
        )
    if status.policy is not None and status.policy.attach is not None:
        group = status.policy.attach.log_group
        yield "log", f"group {group}: {status.receivers.logs.get(group, 'nobody')} reads it"


def _on_duty(status: Status) -> Iterator[tuple[str, str]]:
    """The processes that work as long as the machine runs, or as long as the trial does."""
    idle = "does not run: nobody undoes what others change, nobody attaches to interfaces that come back (`twinwall guard`)"
    yield "guard", _process(status.guard, idle)
    if status.pending is not None and status.pending.deadline is not None:
        yield "watchdog", _process(status.watchdog, "does not run")
    if status.force is not None and status.force.queue != "none":
        yield "inspector", _process(status.inspector, "does not run with this state folder (`twinwall inspect`)")


def _process(holder: Holder | None, otherwise: str) -> str:
    if holder is None:
        return otherwise
    return f"runs (process {holder.pid})" if holder.pid else "runs"


def _way(each: Interface) -> str:
    if not each.present:
        return "does not exist"
    return f"stateless stage in {each.way}" if each.way else "WITHOUT the stateless stage"


def _verdicts(verdicts: Sequence[VerdictCount]) -> Iterator[str]:
    """What became of packets; drops first, the busiest first."""
    if not verdicts:
        yield "no packet so far"
        return
    order = {"drop": 0, "reject": 0}
    ordered = sorted(verdicts, key=lambda each: (order.get(each.verdict, 1), -each.packets))
    rows = [
        (each.verdict, each.stage, each.reason, f"{each.packets:,}", short(each.bytes), each.explanation) for each in ordered
    ]
    yield from columns(("verdict", "stage", "reason", "packets", "bytes", "because"), rows)


def _rules(rules: Sequence[RuleCount], *, every: bool, rates: Rates | None) -> Iterator[str]:
    chosen: Iterable[RuleCount] = rules
    if not every:
        chosen = sorted((each for each in rules if each.packets), key=lambda each: -each.packets)[:MOST_RULES]
    rows = [_rule(each, rates) for each in chosen]
    if rows:
        headings = ("stage", "sid", "packets", "bytes", *(("packets/s",) if rates is not None else ()), "rule")
        yield from columns(headings, rows)
    unused = sum(not each.packets for each in rules)
    shown = "" if every else "; --rules shows all"
    yield f"{len(rules):,} rules, {unused:,} of them have matched nothing so far{shown}"


def _rule(rule: RuleCount, rates: Rates | None) -> tuple[str, ...]:
    rate = () if rates is None else (f"{rates.get((rule.stage, rule.sid), 0):,.0f}",)
    text = " ".join(rule.text.split())
    cut = text if len(text) <= LONGEST_RULE else f"{text[: LONGEST_RULE - 1]}…"
    return (rule.stage, str(rule.sid), f"{rule.packets:,}", short(rule.bytes), *rate, cut)


RIGHT = {"sid", "packets", "bytes", "packets/s"}


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows under their headings."""
    widths = [max(len(row[place]) for row in (headings, *rows)) for place in range(len(headings))]
    for row in (headings, *rows):
        cells = zip(row, widths, headings, strict=True)
        yield "  ".join(cell.rjust(width) if name in RIGHT else cell.ljust(width) for cell, width, name in cells).rstrip()
