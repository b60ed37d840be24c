"""The SSH connection that a command was typed on.

`SSH_CONNECTION` is looked for in this process and its ancestors, because sudo does not hand it on.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

PROC = Path("/proc")
VARIABLE = b"SSH_CONNECTION="
DEEPEST = 64  # ancestors looked at; a chain of processes that long is not a login


@dataclass(frozen=True)
class Session:
    """An SSH connection, as the server sees it."""

    client: IPv4Address | IPv6Address
    client_port: int
    server: IPv4Address | IPv6Address
    server_port: int

    def __str__(self) -> str:
        return f"{_end(self.client, self.client_port)} > {_end(self.server, self.server_port)}"

    @classmethod
    def parse(cls, text: str) -> Session | None:
        """What sshd puts into `SSH_CONNECTION`; None for anything else."""
        try:
            client, client_port, server, server_port = text.split()
            return cls(_address(client), int(client_port), _address(server), int(server_port))
        except ValueError:
            return None


def find_session(proc: Path = PROC, pid: int | None = None) -> Session | None:
    """The SSH session that this process says it belongs to; None if there is none."""
    named = named_session(proc, pid)
    return Session.parse(named) if named is not None else None


def named_session(proc: Path = PROC, pid: int | None = None) -> str | None:
    """What `SSH_CONNECTION` says; None if nobody has it."""
    own = os.environ.get(VARIABLE.decode()[:-1])
    if own is not None and pid is None:
        return own
    for environment in _environments(proc, os.getpid() if pid is None else pid):
        for entry in environment.split(b"\0"):
            if entry.startswith(VARIABLE):
                return entry[len(VARIABLE) :].decode(errors="replace")
    return None


def _environments(proc: Path, pid: int) -> Iterator[bytes]:
    """The environments of a process and its ancestors, as far as they may be read."""
    for _ in range(DEEPEST):
        if pid <= 1:
            return
        try:
            yield (proc / str(pid) / "environ").read_bytes()
            pid = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


def interface_of(session: Session) -> str:
    """The interface that the client's packets come in through, as far as the routes say; empty if they do not."""
    command = ["ip", "-json", "route", "get", str(session.client), "from", str(session.server)]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
        return str(json.loads(done.stdout)[0].get("dev", ""))
    except (OSError, subprocess.CalledProcessError, ValueError, LookupError):
        return ""


def _end(host: IPv4Address | IPv6Address, port: int) -> str:
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address; the part behind `%` names the link of a link-local one."""
    return plain_address(ip_address(text.partition("%")[0]))


def plain_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address as it is on the wire: IPv4 in IPv6 is IPv4."""
    return getattr(address, "ipv4_mapped", None) or address
