"""`render_ruleset`: a policy as scripts for `nft -f`, which touch no table but ours.

The parts, in the order of a packet's way: `hooks`, `judge`, `fast`, `contexts` (the packet's place), `walk` (the rules),
`hits`, `defaults`, `verdicts`.  What cannot be expressed is refused by name, all of it at once (`PolicyError`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from twinwall.compile.defaults import default_rules
from twinwall.policy.model import Attach, Exceptional, Mode, Policy
from twinwall.render.bridge import bridge_table, render_bridge_hooks
from twinwall.render.chains import MOST, Chains
from twinwall.render.contexts import ESTABLISHED, render_learning, render_places
from twinwall.render.defaults import Tails
from twinwall.render.fast import Flows, render_fast_set, render_flow_verdicts
from twinwall.render.guards import unsupported_rule
from twinwall.render.hits import Hits, Uses
from twinwall.render.hooks import render_early, render_hooks, render_inspection, render_untracked_answers, shortcuts
from twinwall.render.judge import render_judge
from twinwall.render.marks import FAST, RULE_NUMBER, SCOPE_FLOW
from twinwall.render.nat import render_nat, unsupported_nat
from twinwall.render.options import QueueWay, RenderOptions, StatelessWay
from twinwall.render.parts import Part, plan_parts
from twinwall.render.ready import INET
from twinwall.render.stateless import output_chains, remove_table, stateless_table
from twinwall.render.switch import IN_FORCE, Hook, TableText, marker_chain, switch_text
from twinwall.render.sysctls import unsupported_tracking
from twinwall.render.unsupported import Unsupported, refuse
from twinwall.render.verdicts import Ends, counters_text
from twinwall.render.walk import Walks, asked_once, flow_rules
from twinwall.render.words import word_of

TABLE = "inet twinwall"
# Nothing leads to this line.  Linux gives a new connection room for labels only while some rule sets one: without it, a policy
# with flow bits could not set them on the connections of a policy that had none.
ROOM = "ct label set 0"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Scripts, each for one `nft -f`.

    `stage` and `switch` put the ruleset in the place of another one under traffic (`render.switch`); the netdev tables are not
    in them.  `text` is all of it for people and for machines without traffic: it replaces our tables in one transaction.
    """

    text: str
    stage: str
    hooks: tuple[Hook, ...]  # the base chains that it leaves
    generation: int
    digest: str

    def switch(self, indexes: Mapping[str, int]) -> str:
        """The script that lets the base chains lead to what was staged; `indexes`: the numbers of the machine's interfaces."""
        return switch_text(self.hooks, self.generation, Hook(TABLE, IN_FORCE, ""), self.digest, indexes)


def unsupported(policy: Policy, options: RenderOptions) -> tuple[Unsupported, ...]:
    """Everything that keeps the policy out of the kernel."""
    return (*_unsupported(policy, options), *unsupported_tracking(policy), *unsupported_nat(policy))


def _unsupported(policy: Policy, options: RenderOptions) -> Iterator[Unsupported]:
    if policy.attach is None or not policy.attach.interfaces:
        yield Unsupported("the policy does not say where to enforce it", "add an `attach` section, or name interfaces")
    for rule in policy.stateful.rules:
        yield from unsupported_rule(rule, policy)
        if rule.inspect and options.queue is QueueWay.NONE:
            yield Unsupported("packets cannot be handed to an inspector here", "leave out `inspect`", rule.sid, rule.span)
    if len(policy.stateful.rules) + 16 > RULE_NUMBER:
        yield Unsupported(f"more than {RULE_NUMBER - 16:,} rules", "join rules that differ in one address or port only")


def render_ruleset(policy: Policy, options: RenderOptions) -> Ruleset:
    """The script.  `PolicyError`: the kernel cannot do everything that the policy asks for."""
    refuse(unsupported(policy, options), policy)
    assert policy.attach is not None
    parts = plan_parts(policy)
    chains = Chains()
    ends = Ends(chains, options.witness, host=policy.attach.mode is Mode.HOST)
    uses = Uses.of([*_words(parts), *_default_words(policy)])
    hits = Hits(chains, ends, uses, options.generation, policy.attach.log_group)
    tails = Tails(chains, hits, ends, policy)
    walks = Walks(chains, hits, tails)
    _base(chains, ends, policy.attach, options)
    chains.add("room_for_flow_bits", [ROOM])
    both = _two_way(policy, parts)
    flows = Flows(_words(parts), both, [rule.sid for rule in policy.stateful.rules], options.generation)
    render_judge(chains, ends, policy.stateful, options, flows.ask(), flows=flow_rules(policy))
    same = render_fast_set(chains, options.generation, both)
    render_flow_verdicts(chains, ends)
    render_learning(chains, options.generation, due=asked_once(policy))
    render_places(chains, walks.render(parts))
    if flow_rules(policy):
        walks.asked_before(parts)
    tails.settle()
    if any(rule.inspect for rule in policy.stateful.rules):
        render_inspection(chains, ends, policy.attach, options)
    if ends.answers and policy.stateful.invalid is not Exceptional.DROP and policy.attach.mode is not Mode.HOST:
        render_untracked_answers(chains)
    refuse(_too_deep(chains), policy)
    sets = [INET.declared, same, flows.text(witness=options.witness is not None), *walks.sets.text, *walks.maps]
    body = [counters_text(ends), *sets, chains.text(), _sending(policy, policy.attach), render_nat(policy.nat)]
    inet = TableText(TABLE, "".join(body), INET.filled(TABLE), shortcuts(policy.attach, flows.ask(), options.generation))
    tables = (bridge_table(policy.attach, options.generation), inet) if policy.attach.mode is Mode.BRIDGE else (inet,)
    return _scripts(options, tables, _stateless(policy, policy.attach, options))


def _too_deep(chains: Chains) -> tuple[Unsupported, ...]:
    """Linux follows only so many chains for one packet."""
    way = chains.longest()
    if len(way) <= MOST:
        return ()
    what = f"what the rules ask takes a packet through {len(way)} chains, and Linux follows {MOST}: {', '.join(way)}"
    return (Unsupported(what, "ask for less in one rule: fewer `flowbits`, a simpler `dsize`, fewer fields at once"),)


def _base(chains: Chains, ends: Ends, attach: Attach, options: RenderOptions) -> None:
    if attach.mode is Mode.BRIDGE:
        render_bridge_hooks(chains, ends, attach)
        return
    render_early(chains, ends, attach, options.generation)
    render_hooks(chains, ends, attach, options.generation)


def _sending(policy: Policy, attach: Attach) -> str:
    """What a host sends meets the stateless stage in our own table."""
    return output_chains(policy, attach) if attach.mode is Mode.HOST else ""


def _scripts(options: RenderOptions, tables: Sequence[TableText], stateless: str) -> Ruleset:
    marked = [replace(each, body=_marked(each, options)) for each in tables]
    return Ruleset(
        text=stateless + "".join(table.replaced() for table in marked),
        stage="".join(table.staged(options.generation) for table in tables),
        hooks=tuple(hook for table in tables for hook in table.hooks()),
        generation=options.generation,
        digest=options.digest,
    )


def _marked(table: TableText, options: RenderOptions) -> str:
    return table.body + marker_chain(options.digest, options.generation) if table.table == TABLE else table.body


def _stateless(policy: Policy, attach: Attach, options: RenderOptions) -> str:
    """The netdev tables: this policy's if it has one, and no other."""
    if options.stateless is StatelessWay.XDP:
        return remove_table(options.generation) + remove_table(options.generation + 1)
    return remove_table(options.generation + 1) + stateless_table(policy, attach, options.generation).replaced()


def _words(parts: Sequence[Part]) -> Iterator[int]:
    for part in parts:
        yield from part.plan.words


def _default_words(policy: Policy) -> Iterator[int]:
    for default in default_rules(policy.stateful.default):
        yield word_of(default.rule, 0) & ~SCOPE_FLOW


def _two_way(policy: Policy, parts: Sequence[Part]) -> list[int]:
    """The numbers of rules that may pass both directions of an established flow without a second look."""
    both = 1 << ESTABLISHED | 1 << (ESTABLISHED | 1)
    found = set()
    for part in parts:
        for unit, word in zip(part.plan.units, part.plan.words, strict=True):
            if word & FAST and unit.match.contexts & both == both:
                found.add(unit.match.place)
    rules = policy.stateful.rules
    return [
        at + 1 for at in sorted(found) if rules[at].bidirectional or not (rules[at].source & rules[at].destination).is_empty
    ]
