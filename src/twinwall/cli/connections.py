"""`twinwall connections`: the kernel's connections in this network namespace."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from twinwall.cli.exit_codes import complain
from twinwall.cli.interrupt import Interrupts
from twinwall.cli.rules_options import open_rules, rules_options

if TYPE_CHECKING:
    from twinwall.cli.connection_rows import Seen
    from twinwall.enforce.rulebook import Rules
    from twinwall.live.connection import ConntrackEntry
    from twinwall.live.connection_filter import Test


@click.command()
@click.argument("words", nargs=-1, metavar="[FILTER]")
@click.option("--kill", is_flag=True, help="End the connections that match; FILTER must say which (`any`: all).")
@click.option("--follow", is_flag=True, help="Print connections as they begin, change state and end, until stopped.")
@click.option("--top", is_flag=True, help="Show the busiest connections, again and again, until stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --follow, one object a line.")
@rules_options
def command(
    words: tuple[str, ...], kill: bool, follow: bool, top: bool, as_json: bool, policy: str | None, state: str | None
) -> None:
    """List the kernel's connections; FILTER says which, like `tcp 10.0.0.0/8 > :443 ESTABLISHED`.

    An end is an address, a CIDR, a port (`:443`, `:8000-8080`) or both; one end alone is either.  Behind them: a state by
    Linux's name, `assured`, `replied`, `unreplied`, `nat`, what twinwall decided (`pass`, `drop`), `sid N`, `mark N/MASK`.
    """
    from twinwall.live.connection_filter import parse_filter  # noqa: PLC0415 - `--help` needs none of it

    if kill + follow + top > 1:
        raise click.UsageError("--kill, --follow and --top exclude each other")
    if kill and not words:
        raise click.UsageError("--kill needs a filter; write `any` to end every connection")
    if top and as_json:
        raise click.UsageError("--top is for people; --follow --json and --json are for programs")
    rules = open_rules(policy, state)
    wanted = parse_filter(" ".join(words), rules.book.numbers if rules.book.rules else None)
    action: Callable[[Rules, Test, bool], None] = _kill if kill else _follow if follow else _top if top else _list
    action(rules, wanted, as_json)


def _list(rules: Rules, wanted: Test, as_json: bool) -> None:
    from twinwall.cli.connection_rows import cells, data, lines  # noqa: PLC0415 - see `command`
    from twinwall.live.conntrack import ConnectionTable  # noqa: PLC0415

    with ConnectionTable() as table:
        found = [_seen(rules, entry) for entry in table.matching(wanted)]
        fill = table.fill()
    if as_json:
        listed = [data(each) for each in found]
        click.echo(json.dumps({"connections": listed, "entries": fill.entries, "limit": fill.limit}, indent=2))
        return
    now = time.time_ns()
    for line in lines([cells(each, now) for each in found]) if found else ():
        click.echo(line)
    click.echo(f"{len(found)} of {fill.entries} connections; the table has room for {fill.limit}")


def _kill(_rules: Rules, wanted: Test, as_json: bool) -> None:
    from twinwall.cli.connection_rows import counted  # noqa: PLC0415 - see `command`
    from twinwall.live.conntrack import ConnectionTable  # noqa: PLC0415

    with ConnectionTable() as table:
        ended = table.delete_all(table.matching(wanted))
    click.echo(json.dumps({"ended": ended}) if as_json else f"{counted(ended)} ended")


def _follow(rules: Rules, wanted: Test, as_json: bool) -> None:
    from twinwall.cli.connection_rows import data, sentence  # noqa: PLC0415 - see `command`
    from twinwall.live.conntrack import ConntrackEvents  # noqa: PLC0415

    with Interrupts() as interrupts, ConntrackEvents() as listener:
        while not interrupts.asked:
            events, lost = listener.receive(timeout=0.5)
            if lost:
                complain("events were lost: they came faster than they were read")
            if events:
                rules.refresh()
            for kind, entry in events:
                if wanted(entry):
                    seen = _seen(rules, entry)
                    told = json.dumps({"event": kind.value, **data(seen)}) if as_json else f"{kind.value:<8}{sentence(seen)}"
                    click.echo(told)
            sys.stdout.flush()


def _top(rules: Rules, wanted: Test, _as_json: bool) -> None:
    from twinwall.cli.connection_top import Watch, watch  # noqa: PLC0415 - see `command`

    with Interrupts() as interrupts:
        watch(Watch(lambda entry: _seen(rules, entry), wanted, rules.refresh), lambda: interrupts.asked)


def _seen(rules: Rules, entry: ConntrackEntry) -> Seen:
    """The connection with the rule that its mark speaks of."""
    from twinwall.cli.connection_rows import Seen  # noqa: PLC0415 - see `command`

    return Seen(entry, rules.rule(entry.rule_number, entry.generation) if entry.rule_number else None)
