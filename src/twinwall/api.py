"""The Python API: load a policy, replay captures through it, get decisions as arrays.

    import twinwall

    policy = twinwall.Policy.load("policy.yaml")
    for batch in twinwall.replay(policy, "traffic.pcapng"):
        dropped = batch.decisions["verdict"] == twinwall.Verdict.DROP
        table = batch.to_arrow()

`batch.decisions`, `.records`, `.alerts` and `.flows` are structured NumPy arrays (`path.layout`, `conntrack.entry`),
`batch.column(name)` the columns of `--decisions`, `batch.to_arrow()` the same as an Arrow record batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from os import PathLike
from pathlib import Path
from secrets import randbits
from typing import TYPE_CHECKING

from twinwall.policy import model

if TYPE_CHECKING:
    from twinwall.engine.batch import DecisionBatch
    from twinwall.engine.engine import Settings
    from twinwall.formats.aws.options import AwsOptions

Paths = str | PathLike[str] | Sequence[str | PathLike[str]]


class Policy(model.Policy):
    """A policy, with everything in it resolved; made by `load`."""

    __slots__ = ()

    @classmethod
    def load(cls, path: str | PathLike[str], options: AwsOptions | None = None) -> Policy:
        """Read a YAML policy, a `.rules` file, or a folder or file of an AWS Network Firewall export.

        `options` (`formats.aws.AwsOptions`) says what an AWS export leaves out.  Raises `PolicyError` with all diagnostics.
        """
        from twinwall.formats.load import load_policy  # noqa: PLC0415 - importing twinwall stays cheap

        loaded = load_policy(Path(path), options)
        return cls(**{field.name: getattr(loaded, field.name) for field in fields(loaded)})


def secret_key() -> tuple[int, int]:
    """A new secret for `Settings.key`."""
    return randbits(64), randbits(64)


def replay(
    policy: model.Policy,
    captures: Paths,
    *,
    settings: Settings | None = None,
    announce: Callable[[], None] | None = None,
) -> Iterator[DecisionBatch]:
    """Run captures through a policy and yield the decisions, in packet order, some thousand packets at a time.

    `captures`: paths of pcap or pcapng files (also gzip, zstd, xz; "-" is standard input), read together in time order.
    `announce` is called before the packet path is compiled, which happens once on each machine.
    Raises `CaptureError` after the last readable packet of a damaged capture.
    """
    from twinwall.capture import CaptureError, open_captures  # noqa: PLC0415 - importing twinwall stays cheap
    from twinwall.capture.framer import native_framer  # noqa: PLC0415
    from twinwall.compile.policy import compile_policy  # noqa: PLC0415
    from twinwall.engine.engine import Engine, Settings  # noqa: PLC0415
    from twinwall.engine.machine import NativeMachine  # noqa: PLC0415

    paths = [captures] if isinstance(captures, str | PathLike) else list(captures)
    chosen = settings or Settings(key=secret_key())
    engine = Engine(policy, compile_policy(policy), NativeMachine(announce), chosen)
    problem: CaptureError | None = None
    with closing(open_captures([str(path) for path in paths], framer=native_framer(announce))) as capture:
        try:
            for frames in capture:
                engine.feed(frames)
                yield engine.take()
        except CaptureError as error:
            problem = error
    engine.finish()
    yield engine.take()
    if problem is not None:
        raise problem
