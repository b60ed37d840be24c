"""`twinwall systemd`: the units that start twinwall with the machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from twinwall.cli.change_options import state_option
from twinwall.cli.exit_codes import ExitCode

FOLDER = Path("/etc/systemd/system")

# Before the network is configured; the BPF file system keeps what a change needs.  Behind nftables.service, whose file begins
# with `flush ruleset` on most distributions: started later, it would take our tables away.
BOOT = """[Unit]
Description=twinwall: the confirmed policy
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=local-fs.target systemd-sysctl.service systemd-modules-load.service sys-fs-bpf.mount
After=nftables.service
RequiresMountsFor={state}

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=HOME={home}
ExecStart={program} boot --state {state}

[Install]
WantedBy=sysinit.target
"""

GUARD = """[Unit]
Description=twinwall: look after what is in force
After=twinwall.service
StartLimitIntervalSec=0

[Service]
Environment=HOME={home}
ExecStart={program} guard --state {state}
Restart=always
RestartSec=1
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""

# Ready before the network is: until it is, what `inspect` rules match is dropped (on_inspection_failure).
INSPECT = """[Unit]
Description=twinwall: decide what rules with `inspect` hand over
After=twinwall.service
Before=network.target
StartLimitIntervalSec=0

[Service]
Environment=HOME={home}
ExecStart={program} inspect --state {state}
Restart=always
RestartSec=1
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""

UNITS = {"twinwall.service": BOOT, "twinwall-guard.service": GUARD, "twinwall-inspect.service": INSPECT}


@click.command()
@click.option("--install", is_flag=True, help=f"Write them to {FOLDER}, instead of printing them.")
@state_option
def command(install: bool, state: str | None) -> int:
    """Print the systemd units for this installation, or write them.

    twinwall.service puts the confirmed policy in force before the network is up, twinwall-guard.service runs `twinwall guard`.
    After --install: `systemctl daemon-reload` and `systemctl enable --now twinwall twinwall-guard`; with rules that say
    `inspect`, twinwall-inspect too, which runs `twinwall inspect`.
    """
    from twinwall.enforce.disk import write_whole  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.state import State  # noqa: PLC0415

    folder = State(state).folder.absolute()
    for name, text in units(_program(), str(folder), os.environ.get("HOME", "/root")).items():
        if install:
            write_whole(FOLDER / name, text.encode())
            (FOLDER / name).chmod(0o644)
        click.echo(f"wrote {FOLDER / name}" if install else f"# {name}\n{text}")
    return ExitCode.FINE


def units(program: str, state: str, home: str) -> dict[str, str]:
    """The units' texts by name.  `home`: in its cache lies what was compiled for XDP."""
    return {name: text.format(program=program, state=state, home=home) for name, text in UNITS.items()}


def _program() -> str:
    """This program, by the name under which it was started."""
    found = shutil.which(sys.argv[0])
    return str(Path(found or sys.argv[0]).absolute())
