"""The chain that every packet of ours comes to at the stateful hook: `engine.pipeline.follow`, in its order.

flow's verdict, fast path   nearly every packet ends here, most of them with the first lookup
passed by the stateless stage
not ready                   in the first moment after a switch: dropped
behind an IPv6 AH           dropped: nftables does not look there
exceptions                  invalid, midstream
generations                 what an earlier policy wrote on the connection
the packet's place, the walk
"""

from __future__ import annotations

from collections.abc import Sequence

from twinwall.path.layout import AH, TCP
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Exceptional, StatefulStage
from twinwall.render.chains import Chains
from twinwall.render.fast import render_fast_ask
from twinwall.render.hits import ACTION, SCOPE, action
from twinwall.render.marks import (
    CT_DROP,
    CT_ESTABLISHED,
    CT_GENERATION,
    CT_GENERATION_SHIFT,
    CT_HALF_OPEN,
    CT_PASS,
    CT_RULE,
    GENERATIONS,
    STATELESS_PASS,
    RuleAction,
)
from twinwall.render.options import RenderOptions
from twinwall.render.ready import COUNTER, INET
from twinwall.render.verdicts import Ends

VERDICTS = {Exceptional.DROP: Verdict.DROP, Exceptional.REJECT: Verdict.REJECT}


def render_judge(
    chains: Chains, ends: Ends, stage: StatefulStage, options: RenderOptions, known: Sequence[str], *, flows: bool
) -> None:
    """The chain `judge`; `known` are its first lines.

    `flows`: some rule covers its flow, so that a reply's flow can be judged by its other direction.
    """
    invalid = "place"
    if stage.invalid in VERDICTS:
        invalid = ends.end(VERDICTS[stage.invalid], Reason.INVALID, "0x00000000")
    ends.counter(COUNTER)
    # Somebody's mark for routing must not be taken for what an inspector reads and writes, behind this chain.
    foreign = [f"{ACTION} != 0x0 meta mark set meta mark & {STATELESS_PASS:#010x}"] if _inspects(stage) else []
    lines = [
        *foreign,
        *known,
        render_fast_ask(chains, ends, options.generation),
        f"ct state untracked meta mark & {STATELESS_PASS:#010x} != 0x0 accept",
        INET.guard,
        # Behind an IPv6 authentication header nftables sees no ports and no protocol, though the tracker and replay do.
        f"meta nfproto ipv6 meta l4proto {AH} {ends.counter('drop_behind_ah')} drop",
        f"ct state vmap {{ invalid : goto {invalid}, untracked : goto place }}",
    ]
    if stage.midstream in VERDICTS:
        midstream = ends.end(VERDICTS[stage.midstream], Reason.MIDSTREAM, "0x00000000")
        lines.append(f"ct state new ct mark & {CT_GENERATION:#010x} == 0x0 tcp flags & syn == 0x0 goto {midstream}")
    lines += [
        # A connection that a helper of somebody else's expects (FTP, SIP) begins with the mark of the one that announced it.
        f"ct status & (expected | confirmed) == expected ct mark set {options.generation << CT_GENERATION_SHIFT:#010x}",
        _generations(chains, ends, options, flows=flows),
        f"ct mark & {CT_PASS | CT_DROP:#010x} vmap {{ {CT_PASS:#010x} : goto flow_pass, {CT_DROP:#010x} : goto flow_drop }}",
        "goto place",
    ]
    chains.add("judge", lines)


def _inspects(stage: StatefulStage) -> bool:
    return any(rule.inspect for rule in stage.rules)


def _generations(chains: Chains, ends: Ends, options: RenderOptions, *, flows: bool) -> str:
    """The line that finds connections that this policy has not judged; the kept ones pass if they were not dropped."""
    stale = _stale(chains, ends, options.generation, flows=flows)
    targets = {0: f"jump {chains.share('unknown', ['ct state new return', f'goto {stale}'])}"}
    for generation in range(1, GENERATIONS + 1):
        if generation in options.kept and generation != options.generation:
            lives = ends.end(Verdict.PASS, Reason.FLOW_PASS, "0x00000000")
            kept = chains.share("kept", [f"ct mark & {CT_DROP:#010x} == 0x0 goto {lives}", f"goto {stale}"])
            targets[generation] = f"jump {kept}"
        elif generation != options.generation:
            targets[generation] = f"jump {stale}"
    pairs = ", ".join(f"{number << CT_GENERATION_SHIFT:#010x} : {target}" for number, target in targets.items())
    return f"ct mark & {CT_GENERATION:#010x} vmap {{ {pairs} }}"


def _stale(chains: Chains, ends: Ends, generation: int, *, flows: bool) -> str:
    """Forget what an earlier policy said, but not whether the connection is established.

    An error about such a flow says nothing about it: it is dropped, until a packet of the flow itself has been judged.
    """
    number = generation << CT_GENERATION_SHIFT
    lines = [
        f"ct state related {ends.counter('drop_stale_error')} drop",
        f"ct mark set ct mark & {CT_ESTABLISHED | CT_HALF_OPEN:#010x} | {number:#010x}",
        f"ct original protocol {TCP} ct status assured ct mark set ct mark | {CT_ESTABLISHED:#010x}",
    ]
    if flows:
        lines.append("ct direction reply goto asked_before")
        _answers(chains, number)
    return chains.share("stale", lines)


def _answers(chains: Chains, number: int) -> None:
    """What the original direction's rules say is written on the flow, and holds at once."""
    targets = {}
    for which, bit, end in ((RuleAction.PASS, CT_PASS, "flow_pass"), (RuleAction.DROP, CT_DROP, "flow_drop")):
        write = f"ct mark set meta mark & {CT_RULE:#010x} | {number | bit:#010x}"
        targets[which] = chains.share(f"before_{which.name.lower()}", [write, "meta mark set 0x00000000", f"goto {end}"])
    targets[RuleAction.REJECT] = targets[RuleAction.DROP]
    pairs = ", ".join(f"{action(which)} : goto {name}" for which, name in targets.items())
    chains.add("hit_before", [f"{SCOPE} {ACTION} vmap {{ {pairs} }}"])
