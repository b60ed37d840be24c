"""Where a packet's way ends: one chain for each verdict and reason, with the counter that `status` reads.

A packet that was dropped walks on if later rules can still report it, mark its flow or answer it.  What was decided then
stands in its priority (`meta priority`), which is free to use: the packet will not be sent.
"""

from __future__ import annotations

from twinwall.path.reason import Reason, Verdict
from twinwall.render.chains import Chains
from twinwall.render.marks import REJECTED

DECIDED = 0x77170000  # upper half of the priority of a packet that is decided and walks on
DECIDED_TEST = f"meta priority & 0xffff0000 == {DECIDED:#010x}"
ANSWER = (
    "meta l4proto tcp reject with tcp reset",
    "meta nfproto ipv4 reject with icmp type admin-prohibited",
    "meta l4proto != icmpv6 reject with icmpv6 type admin-prohibited",
    "drop",
)
WORDS = {Verdict.PASS: "accept", Verdict.DROP: "drop"}


class Ends:
    """The final chains that something leads to, and their counters.  `host`: a reject's answer meets our own chains."""

    def __init__(self, chains: Chains, witness: int | None, *, host: bool = False) -> None:
        self._chains = chains
        self._witness = witness
        self._host = host
        self._settled: dict[int, str] = {}
        self.answers = False  # whether something is rejected
        self.counters: dict[str, None] = {}

    def counter(self, name: str) -> str:
        """The statement that counts a packet under `name`."""
        self.counters[name] = None
        return f"counter name {name}"

    def reason(self, verdict: Verdict, reason: Reason) -> str:
        """The statement that counts a verdict."""
        return self.counter(f"{verdict.name.lower()}_{reason.name.lower()}")

    def seen(self, reason: Reason, mark: str = "") -> list[str]:
        """What tells the witness of a verdict; `mark` is the rule's word, where the packet does not carry it."""
        if self._witness is None:
            return []
        return [f'{f"meta mark set {mark} " if mark else ""}log prefix "tw {reason.name}" group {self._witness} snaplen 128']

    def end(self, verdict: Verdict, reason: Reason, mark: str = "") -> str:
        """The chain that ends a packet's way; a packet that goes on has no mark of ours any more."""
        name = f"{verdict.name.lower()}_{reason.name.lower()}"
        if name not in self._chains:
            self._chains.add(name, [*self.seen(reason, mark), *self._last(verdict, self.reason(verdict, reason))])
        return name

    def _last(self, verdict: Verdict, counter: str) -> list[str]:
        """The lines of a verdict.  An answer is written out: Linux follows sixteen chains, and this is the last of all."""
        if verdict is Verdict.REJECT:
            return [counter, *self._answer()]
        return [f"{counter} {'meta mark set 0x00000000 ' if verdict is Verdict.PASS else ''}{WORDS[verdict]}"]

    def _answer(self) -> list[str]:
        self.answers = True
        return [*([f"meta mark set {REJECTED:#010x}"] if self._host else []), *ANSWER]

    def answer(self) -> str:
        """The chain that answers a packet, and drops it."""
        if "answer" not in self._chains:
            self._chains.add("answer", self._answer())
        return "answer"

    def decide(self, verdict: Verdict, reason: Reason) -> str:
        """The statement that notes a verdict on a packet that walks on; the witness hears of it now."""
        state = int(verdict) << 8 | int(reason)
        if state not in self._settled:
            name = f"settled_{verdict.name.lower()}_{reason.name.lower()}"
            self._settled[state] = self._chains.add(name, self._last(verdict, self.reason(verdict, reason)))
        return f"meta priority set {priority(state)}"

    @property
    def settled(self) -> str:
        """The verdict map of all notes; empty if there are none."""
        pairs = [f"{priority(state)} : goto {name}" for state, name in sorted(self._settled.items())]
        return f"meta priority vmap {{ {', '.join(pairs)} }}" if pairs else ""


def priority(state: int) -> str:
    """A note as nftables writes a priority: in hexadecimal, without a prefix."""
    return f"{DECIDED >> 16:x}:{state:x}"


def counters_text(ends: Ends) -> str:
    """The declarations of all counters."""
    return "".join(f"\tcounter {name} {{\n\t}}\n" for name in sorted(ends.counters))
