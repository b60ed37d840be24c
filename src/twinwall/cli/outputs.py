"""The files that a replay writes besides its summary; each of them complete, or not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from twinwall.path.reason import Verdict

if TYPE_CHECKING:
    from twinwall.capture.writer import PcapngWriter
    from twinwall.engine.batch import DecisionBatch


STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class Targets:
    """Where each output goes; None: not asked for."""

    eve: str | None = None
    aws_log: str | None = None
    decisions: str | None = None
    passed: str | None = None
    dropped: str | None = None
    firewall_name: str = "twinwall"
    availability_zone: str = ""
    policy_arn: str = ""

    @property
    def any(self) -> bool:
        """Whether decisions are needed packet by packet."""
        return bool(self._named)

    @property
    def standard_output(self) -> bool:
        """Whether one of them is standard output, so that nothing else may be printed there."""
        return STANDARD_OUTPUT in self._named.values()

    def refuse_conflicts(self, inputs: Sequence[str]) -> None:
        """Raise `click.UsageError` if two outputs go to one file, or one to a file that is read."""
        taken = {_identity(path): "what is read" for path in inputs if path != STANDARD_OUTPUT}
        for option, path in self._named.items():
            place = _identity(path)
            if place in taken:
                raise click.UsageError(f"{option} {path} is also {taken[place]}; give it a file of its own")
            if path == STANDARD_OUTPUT or not _is_special(path):
                taken[place] = option

    @property
    def _named(self) -> dict[str, str]:
        options = {
            "--eve": self.eve,
            "--aws-log": self.aws_log,
            "--decisions": self.decisions,
            "--write-passed": self.passed,
            "--write-dropped": self.dropped,
        }
        return {option: path for option, path in options.items() if path}


def _identity(path: str) -> str:
    return path if path == STANDARD_OUTPUT else os.path.realpath(path)


def _is_special(path: str) -> bool:
    """A device or a pipe, which several may write to."""
    return Path(path).exists() and not Path(path).is_file()


class Output(Protocol):
    """Takes batches of decisions."""

    def write(self, batch: DecisionBatch) -> object:
        """Append a batch."""


class CaptureOutput:
    """Writes the packets of some verdicts as pcapng."""

    def __init__(self, writer: PcapngWriter, names: dict[int, str], *, passed: bool) -> None:
        self._writer = writer
        self._names = names
        self._passed = passed

    def write(self, batch: DecisionBatch) -> None:
        """Append the batch's packets of this output's verdicts."""
        if not len(batch):
            return
        chosen = (batch.decisions["verdict"] == Verdict.PASS) == self._passed
        ends = [start for start, _ in batch.buffers[1:]] + [len(batch)]
        for (start, buffer), end in zip(batch.buffers, ends, strict=True):
            self._writer.write_frames(buffer, batch.frames[start:end][chosen[start:end]], self._names)


def open_outputs(targets: Targets, names: dict[int, str], stack: ExitStack) -> list[Output]:
    """Open every output that was asked for; `stack` completes or discards them.  `names`: interfaces by number, live."""
    outputs: list[Output] = []
    if targets.eve:
        from twinwall.events.eve import EveWriter  # noqa: PLC0415 - each output is imported when it is wanted

        outputs.append(stack.enter_context(EveWriter(targets.eve)))
    if targets.aws_log:
        from twinwall.events.aws_log import AwsLogWriter, Envelope  # noqa: PLC0415

        envelope = Envelope(targets.firewall_name, targets.availability_zone, targets.policy_arn)
        outputs.append(stack.enter_context(AwsLogWriter(targets.aws_log, envelope)))
    if targets.decisions:
        from twinwall.events.decisions import open_decisions  # noqa: PLC0415

        outputs.append(stack.enter_context(open_decisions(targets.decisions)))
    for path, passed in ((targets.passed, True), (targets.dropped, False)):
        if path:
            from twinwall.capture.writer import PcapngWriter  # noqa: PLC0415

            outputs.append(CaptureOutput(stack.enter_context(PcapngWriter(path)), names, passed=passed))
    return outputs
