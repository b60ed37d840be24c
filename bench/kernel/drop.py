"""What it costs to drop a packet, by the number of rules, in five forms side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from bench.kernel.frames import generator, receive
from bench.kernel.place import INSIDE, clear_rules, command, number_of
from bench.kernel.rulesets import SIZES, DropRule, drop_rules, iptables, nft_lines, nft_sets, policy
from twinwall.compile.policy import stateless_table
from twinwall.live.bpf_programs import XDP, Program
from twinwall.live.xdp import XdpStage
from twinwall.rules.policy_file import read_policy_text
from twinwall.targets.elf import ProgramCode

FLOOR, OURS, SETS, LINES, TABLES = "empty XDP program", "twinwall", "nft, one set", "nft, one line a rule", "iptables"
FORMS = (FLOOR, OURS, SETS, LINES, TABLES)
FRAMES = {FLOOR: 400_000, OURS: 400_000, SETS: 100_000, LINES: 20_000, TABLES: 20_000}
DROP_ALL = bytes.fromhex("b7000000010000009500000000000000")  # r0 = XDP_DROP; exit


@dataclass
class Drops:
    """Nanoseconds a packet, by form and number of rules: one sample a round, each the mean over three rules of the list."""

    samples: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def median(self, form: str, size: int) -> float:
        """The middle of the rounds."""
        return median(self.samples[form, size])


def measure(rounds: int, show: Callable[[str], None]) -> Drops:
    """Take turns: in every round each form drops with each number of rules."""
    drops = Drops()
    for turn in range(rounds):
        for size in SIZES:
            rules = drop_rules(size)
            probes = [rules[0], rules[size // 2], rules[-1]]
            for form in FORMS:
                show(f"dropping: round {turn + 1} of {rounds}, {size:,} rules, {form}")
                with _in_force(form, rules) as program:
                    taken = [_one(program, probe, FRAMES[form]) for probe in probes]
                drops.samples.setdefault((form, size), []).append(float(np.mean(taken)))
    return drops


def _one(program: Program | None, probe: DropRule, count: int) -> float:
    """One rule's packets: through our program, or handed to the stack by the generator."""
    frame = probe.hit()
    if program is not None:
        return receive(program, frame, number_of(INSIDE), count)
    with generator(frame, spread=False) as passing:
        return receive(passing.program, frame, number_of(INSIDE), count)


@contextmanager
def _in_force(form: str, rules: list[DropRule]) -> Iterator[Program | None]:
    """One form in the kernel; the program to run, or None where the stack is to drop."""
    if form == FLOOR:
        with Program.load(XDP, ProgramCode(DROP_ALL, ()), {}) as program:
            yield program
        return
    if form == OURS:
        parsed, mistakes = read_policy_text(policy(rules), "bench", open)
        assert parsed is not None, mistakes
        with XdpStage.load(stateless_table(parsed), parsed, generation=1) as stage:
            yield stage.program
        return
    try:
        if form == TABLES:
            command("iptables-nft-restore", text=iptables(rules))
        else:
            command("nft", "-f", "-", text=(nft_sets if form == SETS else nft_lines)(rules, INSIDE))
        yield None
    finally:
        clear_rules()
