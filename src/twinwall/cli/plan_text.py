"""A plan in lines: what it is about in the first column, what would change in the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from twinwall.enforce.recovery import describe

if TYPE_CHECKING:
    from twinwall.enforce.difference import RuleChange
    from twinwall.enforce.plan import InterfaceChange, Plan

SHOWN = 20  # rules of each kind
COLUMN = 10
NOT_ATTACHED = "not attached"
FORMS = {
    "native": "XDP, native",
    "generic": "XDP, generic",
    "xdp": "XDP, native if the driver can",
    "nft": "nftables chain",
    "missing": "does not exist now",
    "": NOT_ATTACHED,
}


def plan_lines(plan: Plan, *, every: bool = False) -> Iterator[str]:
    """The plan in lines; `every`: also the rules beyond the first of each kind."""
    if not plan.changes:
        yield _row("policy", f"{describe(plan.old.force if plan.old else None)} is in force already: nothing would change")
        yield from (_row("warning", text) for text in plan.warnings)
        return
    yield _row("policy", f"{describe(plan.new.force if plan.new else None)}")
    yield _row("in place of", f"{describe(plan.old.force if plan.old else None)}")
    yield from _rules(plan, every=every)
    for setting in plan.difference.settings:
        yield _row("setting", f"{setting.name}: {setting.before} → {setting.after}")
    yield from _kernel(plan)
    if plan.damaged:
        yield _row("warning", "somebody else has changed the ruleset that is in force; it is replaced")
    yield from (_row("warning", text) for text in plan.warnings)


def _rules(plan: Plan, *, every: bool) -> Iterator[str]:
    counts = plan.difference.counts
    yield _row("rules", ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "none differ")
    kinds = (("-", True, False), ("+", False, True), ("~", True, True))
    for sign, before, after in kinds:
        changes = plan.difference.select(before=before, after=after)
        shown = changes if every else islice(changes, SHOWN)
        for each in shown:
            yield from _rule(sign, each)
        if not every and len(changes) > SHOWN:
            yield f"  {sign} … and {len(changes) - SHOWN:,} more (--all shows them)"


def _rule(sign: str, each: RuleChange) -> Iterator[str]:
    if each.before is not None and each.after is not None:
        yield f"  ~ {each.stage:<9} sid {each.sid}"
        if each.before == each.after:
            yield f"      its variables have other contents: {each.after}"
            return
        yield f"      - {each.before}"
        yield f"      + {each.after}"
        return
    yield f"  {sign} {each.stage:<9} {each.after or each.before}"


def _kernel(plan: Plan) -> Iterator[str]:
    if plan.new is None:
        yield _row("nftables", "every table of twinwall is removed")
    else:
        kinds = ", ".join(f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in plan.objects.kinds.items())
        yield _row("nftables", f"{kinds}, {plan.objects.elements:,} elements; generation {plan.new.force.generation}")
        if plan.new.force.queue != "none":
            yield _row("queue", _queue(plan))
    yield from (_row("interface", line) for line in _interfaces(plan.interfaces))
    for sysctl in plan.sysctls:
        yield _row(
            "sysctl", f"{sysctl.name}: {sysctl.before or '(the kernel does not have it)'} → {sysctl.after}  ({sysctl.why})"
        )
    if plan.new is None:
        yield _row("sysctl", "as they were before twinwall")


def _queue(plan: Plan) -> str:
    assert plan.new is not None
    first, last = plan.new.attach.queues
    form = {"native": "nft's queue statement", "target": "the table inet twinwall_queue"}[plan.new.force.queue]
    return f"NFQUEUE {first}{f'-{last}' if last > first else ''} by {form}"


def _interfaces(changes: Iterable[InterfaceChange]) -> Iterator[str]:
    for each in changes:
        before, after = FORMS[each.before], FORMS[each.after]
        yield f"{each.name}: {after}" if before == after else f"{each.name}: {before} → {after}"


def _row(name: str, text: str) -> str:
    return f"{name:<{COLUMN}} {text}"
