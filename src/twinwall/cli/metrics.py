"""`twinwall metrics`: what `status` sees, for Prometheus."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import click

from twinwall.cli.change_options import Duration, state_option
from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.interrupt import Interrupts, wait_for

ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:]+)\]|(?P<v4>[0-9.]+)):(?P<port>[0-9]{1,5})")
PATIENCE = 60.0  # seconds


@click.command()
@click.option("--listen", metavar="ADDRESS:PORT", help="Serve them there until stopped, such as 127.0.0.1:9776.")
@click.option("--expose", is_flag=True, help="Let ADDRESS be one that others can reach.")
@click.option("--file", "path", type=click.Path(), help="Write them there, for the node exporter's textfile collector.")
@click.option("--interval", type=Duration(), help="With --file: again and again, this far apart.")
@state_option
def command(listen: str | None, expose: bool, path: str | None, interval: float | None, state: str | None) -> int:
    """Print the metrics once, serve them on a port, or write them into a file.

    They are what `status` shows: counters by rule and by reason, interfaces, connections, queues, problems.
    """
    from twinwall.enforce.metrics import metrics_text  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.privilege import require_privileges  # noqa: PLC0415
    from twinwall.enforce.state import State  # noqa: PLC0415
    from twinwall.enforce.status import Observer  # noqa: PLC0415

    if listen is not None and path is not None:
        raise click.UsageError("--listen and --file exclude each other")
    if interval is not None and path is None:
        raise click.UsageError("--interval is for --file")
    if expose and listen is None:
        raise click.UsageError("--expose is for --listen")
    where = _address(listen, expose=expose) if listen is not None else None
    require_privileges(action="look at what is in force")
    observer = Observer(State(state))

    def look() -> str:
        return metrics_text(observer.look())

    if where is not None:
        _serve(*where, look)
    elif path is not None:
        _write(Path(path), interval, look)
    else:
        click.echo(look(), nl=False)
    return ExitCode.FINE


def _address(text: str, *, expose: bool) -> tuple[str, int]:
    """Address and port.  Raises `click.UsageError` for anything else, and for an address that others reach."""
    from twinwall.enforce.metrics_server import is_loopback  # noqa: PLC0415 - see `command`

    found = ADDRESS.fullmatch(text)
    address = (found["v4"] or found["v6"]) if found else ""
    try:
        local = is_loopback(address)
    except ValueError:
        raise click.UsageError(f"{text!r} is no address and port, such as 127.0.0.1:9776 or [::1]:9776") from None
    if found is None or int(found["port"]) > 0xFFFF:
        raise click.UsageError(f"{text!r}: a port is a number up to 65535")
    if not local and not expose:
        raise click.UsageError(f"others can reach {address}, and metrics tell them the policy; add --expose if they may")
    return address, int(found["port"])


def _serve(address: str, port: int, look: Callable[[], str]) -> None:
    from twinwall.enforce.metrics_server import SECONDS_TO_LOOK, MetricsServer  # noqa: PLC0415 - see `command`

    with Interrupts() as interrupts, MetricsServer(address, port, look, complain) as server:
        complain(f"metrics at http://{server.where}/metrics")
        thread = threading.Thread(target=server.serve_forever, args=(SECONDS_TO_LOOK,), daemon=True)
        thread.start()
        while not interrupts.asked:
            wait_for(interrupts, PATIENCE)
        server.shutdown()
        thread.join()


def _write(path: Path, interval: float | None, look: Callable[[], str]) -> None:
    """Once, or until stopped."""
    from twinwall.enforce.metrics_file import write_metrics  # noqa: PLC0415 - see `command`
    from twinwall.events.sink import OutputError  # noqa: PLC0415
    from twinwall.live.error import EnforcementError  # noqa: PLC0415

    if interval is None:
        write_metrics(path, look())
        return
    with Interrupts() as interrupts:
        while not interrupts.asked:
            try:
                write_metrics(path, look())
            except (EnforcementError, OutputError) as error:
                complain(f"error: {error}")  # the file grows old, which Prometheus notices
            wait_for(interrupts, interval)
