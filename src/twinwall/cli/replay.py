"""`twinwall replay POLICY CAPTURE…`: a decision for every packet, and a summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.interrupt import Interrupts
from twinwall.cli.outputs import Output, Targets, open_outputs
from twinwall.cli.policy_options import aws_options, policy_options, read_reported

if TYPE_CHECKING:
    from twinwall.capture import CaptureRun
    from twinwall.engine.engine import Engine
    from twinwall.policy.model import Policy


@dataclass(frozen=True)
class Ending:
    """How a run ended: whole, at an unreadable place (`problem`), or by Ctrl-C."""

    problem: Exception | None = None
    interrupted: bool = False

    @property
    def code(self) -> ExitCode:
        """The exit code that says so."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        return ExitCode.CAPTURE if self.problem is not None else ExitCode.FINE


@click.command()
@click.argument("policy", type=click.Path())
@click.argument("captures", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--eve", metavar="FILE", help="Write EVE JSON: alert, drop, flow, netflow, stats (- for standard output).")
@click.option("--aws-log", metavar="FILE", help="Write AWS Network Firewall's alert and flow log.")
@click.option("--decisions", metavar="FILE", help="Write one row a packet: CSV, or Parquet where FILE ends in .parquet.")
@click.option("--write-passed", "passed", metavar="FILE", help="Write the packets that passed, as pcapng.")
@click.option("--write-dropped", "dropped", metavar="FILE", help="Write the packets that were dropped or rejected, as pcapng.")
@click.option(
    "--explain", "explained", type=click.IntRange(min=1), metavar="N", help="Tell everything that happened to packet N."
)
@click.option("--checksums", is_flag=True, help="Treat wrong checksums as malformed (captures of offloading hosts have them).")
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1), help="How many rules and talkers to list.")
@click.option("--progress/--no-progress", default=None, help="A progress bar; by default on a terminal.")
@click.option("--firewall-name", default="twinwall", show_default=True, help="The name that the AWS log carries.")
@click.option("--availability-zone", default="", help="The zone that the AWS log carries.")
@policy_options
def command(
    policy: str,
    captures: tuple[str, ...],
    as_json: bool,
    eve: str | None,
    aws_log: str | None,
    decisions: str | None,
    passed: str | None,
    dropped: str | None,
    explained: int | None,
    checksums: bool,
    top: int,
    progress: bool | None,
    firewall_name: str,
    availability_zone: str,
    home_net: tuple[str, ...],
    references: tuple[str, ...],
) -> int:
    """Run CAPTURES through POLICY and say what happened to every packet.

    POLICY is a YAML policy, a .rules file, or the folder of an AWS Network Firewall export.  CAPTURES are pcap or pcapng
    files, also compressed with gzip, zstd or xz; - is standard input.  Several are read together, in time order.
    """
    loaded, _ = read_reported((policy,), aws_options(home_net, references))
    if loaded is None:
        return ExitCode.POLICY
    if explained is not None:
        from twinwall.cli.explain_packet import explain_captured  # noqa: PLC0415 - only asked for sometimes

        return explain_captured(loaded, captures, explained, checksums=checksums, as_json=as_json)
    targets = Targets(eve, aws_log, decisions, passed, dropped, firewall_name, availability_zone, loaded.origin)
    targets.refuse_conflicts((policy, *captures))
    run = _Run(loaded, captures, targets, checksums=checksums, progress=progress)
    ending = run.go()
    run.report(top, as_json=as_json)
    if ending.problem is not None:
        complain(f"error: {ending.problem}")
    if ending.interrupted:
        complain("interrupted: this is what was decided until then")
    return ending.code


class _Run:
    """One replay: the engine, its input and its outputs."""

    def __init__(
        self, policy: Policy, captures: tuple[str, ...], targets: Targets, *, checksums: bool, progress: bool | None
    ) -> None:
        from twinwall.api import secret_key  # noqa: PLC0415 - see above
        from twinwall.capture import open_captures  # noqa: PLC0415 - `--help` does without
        from twinwall.capture.framer import native_framer  # noqa: PLC0415
        from twinwall.compile.policy import compile_policy  # noqa: PLC0415
        from twinwall.engine.engine import Engine, Settings  # noqa: PLC0415
        from twinwall.engine.machine import NativeMachine  # noqa: PLC0415

        open_captures(captures).close()  # a file that is not there is found before anything is compiled
        announce = announce_once()
        compiled = compile_policy(policy)
        settings = Settings(checksums=checksums, key=secret_key())
        self.targets = targets
        self.capture: CaptureRun = open_captures(captures, framer=native_framer(announce))
        self.engine: Engine = Engine(policy, compiled, NativeMachine(announce), settings, keep=targets.any)
        self.progress = progress
        self.elapsed = 0.0

    def go(self) -> Ending:
        """Decide every packet that can be read."""
        from twinwall.cli.progress import progress_of  # noqa: PLC0415 - see above

        with ExitStack() as stack:
            interrupts = stack.enter_context(Interrupts())
            outputs = open_outputs(self.targets, self.capture.interfaces, stack)
            bar = stack.enter_context(progress_of(self.capture, wanted=self.progress))
            start = time.perf_counter()
            ending = self._feed(bar.advance, outputs, interrupts)
            self.engine.finish()
            self._hand_out(outputs)
            self.elapsed = time.perf_counter() - start
        return ending

    def _feed(self, advance: Callable[[], None], outputs: Sequence[Output], interrupts: Interrupts) -> Ending:
        from twinwall.capture import CaptureError  # noqa: PLC0415 - see above

        while True:
            try:
                with interrupts.welcome():
                    frames = next(self.capture, None)
            except CaptureError as problem:
                return Ending(problem=problem)
            except KeyboardInterrupt:
                return Ending(interrupted=True)
            if frames is None:
                return Ending()
            self.engine.feed(frames)
            self._hand_out(outputs)
            advance()

    def _hand_out(self, outputs: Sequence[Output]) -> None:
        if outputs:
            batch = self.engine.take()
            for output in outputs:
                output.write(batch)

    def report(self, top: int, *, as_json: bool) -> None:
        """Print the summary; where an output has taken standard output, with the errors."""
        from twinwall.events.summary import summarise  # noqa: PLC0415 - see above

        summary = summarise(self.engine.counters, self.engine.rules, self.elapsed, top)
        aside = self.targets.standard_output
        if as_json:
            click.echo(summary.to_json(), err=aside)
            return
        from rich.console import Console  # noqa: PLC0415 - slow to import

        summary.render(Console(highlight=False, stderr=aside))


def announce_once() -> Callable[[], None]:
    """What to call before the one-time compilation: it says so, the first time."""
    said = False

    def announce() -> None:
        nonlocal said
        if not said:
            complain("compiling the packet path for this machine (once; up to half a minute) …")
        said = True

    return announce
