"""A traced packet as plain data, for `--json`: the sentences, and the kernel's own steps behind them."""

from __future__ import annotations

from twinwall.enforce.trace_story import KernelStory
from twinwall.engine.story_data import Data, rule_data
from twinwall.live.nftrace import Step


def trace_data(story: KernelStory) -> Data:
    """One packet; a key whose value is null does not apply."""
    return {
        "title": story.title,
        "verdict": story.verdict,
        "reason": story.reason or None,
        "rule": rule_data(story.rule) if story.rule else None,
        "lines": [
            {"section": line.section, "text": line.text, "rule": rule_data(line.rule) if line.rule else None}
            for line in story.lines
        ],
        "steps": [_step(step) for step in story.steps],
    }


def _step(step: Step) -> Data:
    return {
        "table": f"{step.family} {step.table}",
        "chain": step.chain,
        "handle": step.handle or None,
        "kind": step.kind.name.lower(),
        "verdict": step.code.value if step.code else None,
        "target": step.target or None,
        "mark": step.mark,
    }
