"""What happens when a rule matches: report, mark the flow, decide; `path.apply`, as chains.

The packet's mark is the rule's decision word.  `hit` ends the packet's way where the rule decides it for good; else it returns,
and the walk goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twinwall.path.reason import Reason, Verdict
from twinwall.render import marks
from twinwall.render.chains import Chains
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, CT_DROP, CT_PASS, CT_RULE, RuleAction
from twinwall.render.verdicts import DECIDED_TEST, Ends

ACTION = f"meta mark & {ACTION_MASK:#010x}"
SEEN = "jump learn_seen"  # `contexts.render_learning`
SCOPE = f"meta mark & {marks.SCOPE_FLOW:#010x} != 0x0"


def action(which: RuleAction) -> str:
    """An action in place, as nftables writes it."""
    return f"{which << ACTION_SHIFT:#010x}"


@dataclass(frozen=True)
class Uses:
    """What the words of a policy's rules contain: chains that nothing needs are left out."""

    actions: frozenset[RuleAction]
    reports: bool
    flow: bool
    walks_on: bool  # some drop is not the last word

    @classmethod
    def of(cls, words: Iterable[int]) -> Uses:
        """What these words contain."""
        known = list(words)
        actions = frozenset(RuleAction((word & ACTION_MASK) >> ACTION_SHIFT) for word in known)
        stopping = (RuleAction.DROP << ACTION_SHIFT, RuleAction.REJECT << ACTION_SHIFT)
        return cls(
            actions,
            any(word & marks.REPORTS for word in known),
            any(word & marks.SCOPE_FLOW for word in known),
            any(word & ACTION_MASK in stopping and not word & marks.LAST for word in known),
        )


class Hits:
    """The chains behind a match, and the names to jump to."""

    def __init__(self, chains: Chains, ends: Ends, uses: Uses, generation: int, log_group: int) -> None:
        self.chains, self.ends, self.uses = chains, ends, uses
        self.generation = generation << marks.CT_GENERATION_SHIFT
        self.log_group = log_group
        if uses.reports:
            chains.add("report", [f'log prefix "twinwall {generation}" group {log_group} snaplen 128'])
        if uses.flow:
            self._flow()

    def hit(self, *, fast: bool = False, keep: bool = False, due: bool = False) -> str:
        """The chain to jump to.  `fast`: the packet's place in its flow is where the next ones will be.

        `keep`: a pass returns too, because rules behind it set flow bits.  `due`: rules are asked that are asked once.
        """
        name = "hit" + ("_fast" if fast else "") + ("_keep" if keep else "") + ("_due" if due else "")
        if name not in self.chains:
            self.chains.add(name, self._hit(fast=fast, keep=keep, due=due))
        return name

    def _hit(self, *, fast: bool, keep: bool, due: bool) -> list[str]:
        uses, lines = self.uses, []
        if uses.reports:
            lines.append(f"meta mark & {marks.REPORTS:#010x} != 0x0 jump report")
        if RuleAction.ALERT in uses.actions:
            lines.append(f"{ACTION} == {action(RuleAction.ALERT)} return")
        if RuleAction.INSPECT in uses.actions:
            lines.append(f"{ACTION} == {action(RuleAction.INSPECT)} goto {self._inspect(due=due)}")
        if uses.flow:
            lines.append(f"{SCOPE} jump mark_flow")
        if uses.walks_on:
            lines.append(f"{DECIDED_TEST} goto {self._overruled(keep=keep, due=due)}")
        stops = {RuleAction.DROP: Verdict.DROP, RuleAction.REJECT: Verdict.REJECT}
        targets = {each: self._stopped(verdict, due=due) for each, verdict in stops.items()}
        if not keep:
            targets[RuleAction.PASS] = self.passed(fast=fast, due=due)
        pairs = [f"{action(each)} : goto {targets[each]}" for each in sorted(targets) if each in uses.actions]
        if pairs:
            lines.append(f"{ACTION} vmap {{ {', '.join(pairs)} }}")
        return lines

    def _flow(self) -> None:
        """Let the verdict hold for the flow, unless it has one; afterwards SCOPE_FLOW says whether it does."""
        kept = f"ct mark set meta mark & {CT_RULE:#010x} | "
        passed = self.chains.add("flow_passes", [f"{kept}{self.generation | CT_PASS:#010x}"])
        dropped = self.chains.add("flow_drops", [f"{kept}{self.generation | CT_DROP:#010x}"])
        actions = {RuleAction.PASS: passed, RuleAction.DROP: dropped, RuleAction.REJECT: dropped}
        pairs = ", ".join(f"{action(each)} : goto {name}" for each, name in actions.items())
        self.chains.add(
            "mark_flow",
            [
                f"ct mark & {CT_PASS | CT_DROP:#010x} == 0x0 {ACTION} vmap {{ {pairs} }}",
                f"meta mark set meta mark & {0xFFFFFFFF ^ marks.SCOPE_FLOW:#010x}",
            ],
        )

    def _ends_of(self, verdict: Verdict, *, due: bool) -> list[str]:
        """A verdict on the flow says by itself that its rules were asked."""
        lines = [*([SEEN] if due else []), f"goto {self.ends.end(verdict, Reason.RULE)}"]
        if self.uses.flow:
            lines.insert(0, f"{SCOPE} goto {self.ends.end(verdict, Reason.RULE_FLOW)}")
        return lines

    def passed(self, *, fast: bool = False, due: bool = False) -> str:
        """The chain of a packet that a pass rule decides."""
        learn = [f"meta mark & {marks.FAST:#010x} != 0x0 ct state established jump fast"] if fast else []
        ends = self._ends_of(Verdict.PASS, due=due)
        return self.chains.share("passed", [*ends[:-1], *learn, ends[-1]] if due else [*learn, *ends])

    def _stopped(self, verdict: Verdict, *, due: bool) -> str:
        """Drop or reject: at once, or note it and walk on."""
        now = self.chains.share(f"{verdict.name.lower()}_now", self._ends_of(verdict, due=due))
        if not self.uses.walks_on:
            return now
        return self.chains.share(
            f"{verdict.name.lower()}_noted",
            [f"meta mark & {marks.LAST:#010x} != 0x0 goto {now}", *self._noted(verdict)],
        )

    def _noted(self, verdict: Verdict) -> list[str]:
        lines = [*self.ends.seen(Reason.RULE), self.ends.decide(verdict, Reason.RULE)]
        if not self.uses.flow:
            return lines
        marked = [*self.ends.seen(Reason.RULE_FLOW), self.ends.decide(verdict, Reason.RULE_FLOW)]
        return [f"{SCOPE} goto {self.chains.share(f'{verdict.name.lower()}_noted_flow', marked)}", *lines]

    def _overruled(self, *, keep: bool, due: bool) -> str:
        """A match of a packet that is dropped already: a pass ends the walk, a reject adds its answer."""
        lines = []
        if RuleAction.PASS in self.uses.actions and not keep:
            passes = f"{ACTION} == {action(RuleAction.PASS)}"
            lines += [*([f"{passes} {SEEN}"] if due else []), f"{passes} goto settle"]
        if RuleAction.REJECT in self.uses.actions:
            dropped = [int(Verdict.DROP) << 8 | int(reason) for reason in (Reason.RULE, Reason.RULE_FLOW)]
            states = ", ".join(f"{0x7717:x}:{state:x}" for state in dropped)
            noted = self.chains.share("answered", self._noted(Verdict.REJECT))
            lines.append(f"{ACTION} == {action(RuleAction.REJECT)} meta priority {{ {states} }} goto {noted}")
        return self.chains.share("overruled", lines)

    def _inspect(self, *, due: bool) -> str:
        """The packet leaves for the inspector with its mark, unless it is dropped anyway."""
        first = [f"{DECIDED_TEST} return"] if self.uses.walks_on else []
        return self.chains.share("inspect", [*first, *([SEEN] if due else []), "accept"])
