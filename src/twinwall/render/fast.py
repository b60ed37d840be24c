"""Established connections whose packets no rule needs to see again: the bits on the connection, and who sets them.

Where the verdict on an established packet depends on nothing but its five-tuple and direction (`Walks` decides that for each
walk), the first one's pass is written on the connection, for its direction.  Of two directions that pass by different rules
only the original one is kept; the other is judged packet by packet, because the connection mark has room for one rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twinwall.path.layout import TCP
from twinwall.path.reason import Reason, Verdict
from twinwall.render.chains import Chains
from twinwall.render.elements import listed, sized
from twinwall.render.marks import (
    CT_DROP,
    CT_ESTABLISHED,
    CT_FAST_ORIGINAL,
    CT_FAST_REPLY,
    CT_FAST_REPLY_NO_RULE,
    CT_GENERATION,
    CT_GENERATION_SHIFT,
    CT_HALF_OPEN,
    CT_PASS,
    CT_RULE,
    CT_SEEN_ORIGINAL,
    CT_SEEN_REPLY,
    FAST,
    RULE_NUMBER,
    SCOPE_FLOW,
    RuleAction,
)
from twinwall.render.verdicts import WORDS, Ends
from twinwall.render.words import action_of

VERDICT_BITS = CT_PASS | CT_DROP | CT_FAST_ORIGINAL | CT_FAST_REPLY | CT_FAST_REPLY_NO_RULE
LEARNED = (0, CT_ESTABLISHED, CT_ESTABLISHED | CT_HALF_OPEN)  # of a flow that the rules may call established
SEEN = CT_SEEN_ORIGINAL | CT_SEEN_REPLY
STATE = f"ct mark & {CT_GENERATION | VERDICT_BITS | CT_ESTABLISHED | CT_HALF_OPEN | SEEN:#010x}"
LEARNING = f"meta l4proto {TCP} ct mark & {CT_ESTABLISHED:#010x} == 0x0 return"  # its handshake has to be seen
NUMBER = f"ct mark & {CT_RULE:#010x}"
FAST_BOTH = CT_FAST_ORIGINAL | CT_FAST_REPLY
KNOWN = "known_flows"
KNOWN_KEY = CT_GENERATION | VERDICT_BITS | CT_RULE
# What the connection's bits mean for the packet: the counter's name, and where the packet goes if it has to be witnessed.
ENDS_OF: Mapping[int, tuple[Verdict, Reason, str]] = {
    CT_PASS: (Verdict.PASS, Reason.FLOW_PASS, "flow_pass"),
    CT_DROP: (Verdict.DROP, Reason.FLOW_DROP, "flow_drop"),
    FAST_BOTH: (Verdict.PASS, Reason.RULE, "fast_rule"),
}
FLOW_BITS = {
    RuleAction.PASS: (CT_PASS,),
    RuleAction.DROP: (CT_DROP,),
    RuleAction.REJECT: (CT_DROP,),
    RuleAction.INSPECT: (CT_PASS, CT_DROP),
}


class Flows:
    """What can stand on a connection, from the decision words of all rules; `sids`: of the rules, in their order.

    One lookup in the map `known_flows` is the whole way of nearly every packet: its elements count by rule, and thereby by
    reason.  The set `flow_hits` counts the packets that come to a verdict on their flow in another way.
    """

    def __init__(self, words: Iterable[int], same: Sequence[int], sids: Sequence[int], generation: int) -> None:
        self._base = generation << CT_GENERATION_SHIFT
        self._sids = sids
        known = {word: action_of(word) for word in words if word & (FAST | SCOPE_FLOW)}
        self.numbers = sorted({word & RULE_NUMBER for word in known})
        by_flow = {
            (word & RULE_NUMBER, bits) for word, action in known.items() if word & SCOPE_FLOW for bits in FLOW_BITS[action]
        }
        self._known = sorted(by_flow | {(number, FAST_BOTH) for number in same})

    def ask(self) -> list[str]:
        """The line that looks a packet up.

        An error about an established flow is none of its packets, nor is the first one of a connection that a helper expects.
        """
        return [f"ct state established ct mark & {KNOWN_KEY:#010x} vmap @{KNOWN}"] if self._known else []

    def text(self, *, witness: bool) -> str:
        """The declarations.  What is to be witnessed goes on to the chain that tells of it, and is counted there."""
        hits = [f"{number:#010x} {self._comment(number)}" for number in self.numbers]
        declared = f"\tset flow_hits {{\n\t\ttype mark\n{sized(len(hits))}\t\tcounter\n{listed(hits)}\t}}\n"
        if not self._known:
            return declared
        known = [self._element(number, bits, witness=witness) for number, bits in self._known]
        counter = "" if witness else "\t\tcounter\n"
        return f"{declared}\tmap {KNOWN} {{\n\t\ttype mark : verdict\n{sized(len(known))}{counter}{listed(known)}\t}}\n"

    def _element(self, number: int, bits: int, *, witness: bool) -> str:
        verdict, _, chain = ENDS_OF[bits]
        end = f"goto {chain}" if witness else WORDS[verdict]
        return f"{self._base | bits | number:#010x} {self._comment(number)} : {end}"

    def _comment(self, number: int) -> str:
        return f'comment "sid {self._sids[number - 1]}"'


def counted_as(mark: int) -> str:
    """The name under which packets are counted that a connection mark in `known_flows` decides, such as `pass_flow_pass`."""
    verdict, reason, _ = ENDS_OF[mark & VERDICT_BITS]
    return f"{verdict.name.lower()}_{reason.name.lower()}"


def render_fast_set(chains: Chains, generation: int, same: Sequence[int]) -> str:
    """The chains that set the bits; the declaration of the set of rules that can pass both directions of a flow."""
    base = generation << CT_GENERATION_SHIFT | SEEN
    chains.add("fast", ["ct direction original goto fast_original_no_rule", "goto fast_reply"])
    equal = f"{NUMBER} . meta mark & {RULE_NUMBER:#010x} @same_rule"
    chains.add("fast_original_no_rule", [LEARNING, _choice(_original(chains, base, equal if same else ""))])
    known = {base | learned: _write(chains, base | learned & CT_ESTABLISHED | CT_FAST_REPLY) for learned in LEARNED}
    if same:
        both = chains.share("fast_both_set", [f"{equal} {_add(CT_FAST_REPLY)}"])
        known |= {base | learned | CT_FAST_ORIGINAL: both for learned in LEARNED}
    chains.add("fast_reply", [LEARNING, _choice(known)])
    none = chains.share("fast_reply_none_set", [_add(CT_FAST_REPLY_NO_RULE)])
    chains.add(
        "fast_reply_no_rule",
        [LEARNING, _choice({base | each | bit: none for each in LEARNED for bit in (0, CT_FAST_ORIGINAL)})],
    )
    elements = listed([f"{number} . {number}" for number in same])
    return f"\tset same_rule {{\n\t\ttype mark . mark\n{elements}\t}}\n" if same else ""


def _original(chains: Chains, base: int, equal: str) -> dict[int, str]:
    """The original direction's rule replaces what is known of the reply direction.

    Not if that passes by no rule, or by the same one (`equal` asks for it).
    """
    found = {}
    for learned in LEARNED:
        bits = base | learned & CT_ESTABLISHED | CT_FAST_ORIGINAL
        alone = both = _write(chains, bits)
        if equal:
            both = chains.share("fast_original_too", [f"{equal} {_add(CT_FAST_ORIGINAL)} return", f"goto {alone}"])
        found[base | learned] = alone
        found[base | learned | CT_FAST_REPLY] = both
        found[base | learned | CT_FAST_REPLY_NO_RULE] = _write(chains, bits | CT_FAST_REPLY_NO_RULE)
    return found


def _write(chains: Chains, bits: int) -> str:
    return chains.share(f"fast_{bits >> 20:x}", [f"ct mark set meta mark & {RULE_NUMBER:#010x} | {bits:#010x}"])


def _add(bits: int) -> str:
    return f"ct mark set ct mark | {bits:#010x}"


def _choice(targets: dict[int, str]) -> str:
    return f"{STATE} vmap {{ {', '.join(f'{bits:#010x} : goto {name}' for bits, name in sorted(targets.items()))} }}"


def render_fast_ask(chains: Chains, ends: Ends, generation: int) -> str:
    """The line that asks for the bits, and the chains it leads to."""
    base = generation << CT_GENERATION_SHIFT
    rule, none = _fast_rule(chains, ends), _fast_none(chains, ends)
    original = chains.share("fast_if_original", [f"ct direction original goto {rule}"])
    reply = chains.share("fast_if_reply", [f"ct direction reply goto {rule}"])
    reply_none = chains.share("fast_if_reply_none", [f"ct direction reply goto {none}"])
    mixed = chains.share("fast_mixed", [f"ct direction original goto {rule}", f"goto {none}"])
    targets = {
        CT_PASS: "goto flow_pass",
        CT_DROP: "goto flow_drop",
        CT_FAST_ORIGINAL: f"jump {original}",
        CT_FAST_REPLY: f"jump {reply}",
        CT_FAST_REPLY_NO_RULE: f"jump {reply_none}",
        CT_FAST_ORIGINAL | CT_FAST_REPLY: f"goto {rule}",
        CT_FAST_ORIGINAL | CT_FAST_REPLY_NO_RULE: f"goto {mixed}",
    }
    pairs = ", ".join(f"{base | bits:#010x} : {target}" for bits, target in targets.items())
    return f"ct state established ct mark & {CT_GENERATION | VERDICT_BITS:#010x} vmap {{ {pairs} }}"


def _fast_rule(chains: Chains, ends: Ends) -> str:
    none = _fast_none(chains, ends)
    seen = ends.seen(Reason.RULE, NUMBER)
    lines = [f"{NUMBER} 0x00000000 goto {none}", *seen, "meta mark set 0x00000000"] if seen else []
    hit = f"{NUMBER} @flow_hits {ends.reason(Verdict.PASS, Reason.RULE)} accept"
    return chains.share("fast_rule", [*lines, hit, f"goto {none}"])


def _fast_none(chains: Chains, ends: Ends) -> str:
    seen = ends.seen(Reason.NO_RULE, "0x00000000")
    return chains.share("fast_no_rule", [*seen, f"{ends.reason(Verdict.PASS, Reason.NO_RULE)} accept"])


def render_flow_verdicts(chains: Chains, ends: Ends) -> None:
    """The ends of packets whose flow was decided before."""
    for verdict, reason, word in ((Verdict.PASS, Reason.FLOW_PASS, "accept"), (Verdict.DROP, Reason.FLOW_DROP, "drop")):
        seen = ends.seen(reason, NUMBER)
        clear = ["meta mark set 0x00000000"] if seen else []
        count = ends.reason(verdict, reason)
        name = "flow_pass" if verdict is Verdict.PASS else "flow_drop"
        chains.add(name, [*seen, *clear, f"{NUMBER} @flow_hits {count} {word}", f"{count} {word}"])
