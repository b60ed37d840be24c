"""The SSH sessions that a change could cut: those of this machine's sshd, and the one that the environment names.

`SSH_CONNECTION` alone does not do.  In tmux, after a lost connection, it is of a connection that is gone, or of another one
that still lives; so every session counts in which somebody can type: the sockets of sshd processes below which something else
runs.  A stranger who has not logged in has nothing below him, and does not count.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from twinwall.enforce.session import DEEPEST, PROC, Session, named_session, plain_address

SERVERS = ("sshd", "dropbear")  # how names of processes begin; newer sshd are called sshd-session
MOST = 64  # sessions that are asked about: a tenth of a second each
ESTABLISHED = "01"
LOCAL, REMOTE, STATE, INODE = 1, 2, 3, 9  # columns of /proc/net/tcp


@dataclass(frozen=True)
class Sessions:
    """`living` are asked about; `unchecked` says in words what could not be found out, empty if there is nothing."""

    living: tuple[Session, ...]
    unchecked: str = ""


@dataclass(frozen=True)
class _Process:
    parent: int
    name: str

    @property
    def serves(self) -> bool:
        return self.name.startswith(SERVERS)


def find_sessions(proc: Path = PROC, pid: int | None = None) -> Sessions:
    """The sessions of this network namespace; `pid` is asked for its environment, and its ancestors."""
    named = named_session(proc, pid)
    try:
        connections = established(proc)
        processes = dict(_processes(proc))
    except OSError as error:
        return Sessions((), f"the machine's connections cannot be read ({error.strerror}), so no SSH session was checked")
    used = {server for child in processes for server in _servers_above(processes, child)}
    held, hidden = _held(proc, used)
    session = Session.parse(named) if named is not None else None
    first = [session] if session is not None and session in connections else []
    living = list(dict.fromkeys((*first, *(each for each, inode in connections.items() if inode in held))))
    stale = named if named is not None and not first else ""
    return Sessions(tuple(living[:MOST]), _unchecked(stale, hidden, len(living)))


def _unchecked(stale: str, hidden: int, living: int) -> str:
    """What could not be found out."""
    if living > MOST:
        return f"{MOST} of {living} SSH sessions were checked"
    if hidden:
        return (
            f"the connections of {hidden} sshd processes cannot be seen, so not every SSH session was checked (run it as root)"
        )
    if not stale:
        return ""
    gone = f"SSH_CONNECTION says `{' '.join(stale.split())[:80]}`, and this network namespace has no such connection"
    if living:
        return f"{gone}: the {living} SSH sessions that it has were checked instead"
    return f"{gone}, nor another SSH session: whether the connection that this is typed on would be cut was not checked"


def established(proc: Path = PROC) -> Mapping[Session, str]:
    """All established TCP connections, this machine taken for the server, each with its socket's name.  Raises `OSError`."""
    return {session: name for family in ("tcp", "tcp6") for session, name in _connections(proc / "thread-self/net" / family)}


def _connections(table: Path) -> Iterator[tuple[Session, str]]:
    if not table.exists():  # a kernel without IPv6
        return
    for line in table.read_text().splitlines()[1:]:
        row = line.split()
        if row[STATE] == ESTABLISHED:
            (client, client_port), (server, server_port) = _end(row[REMOTE]), _end(row[LOCAL])
            yield Session(client, client_port, server, server_port), f"socket:[{row[INODE]}]"


def _end(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """An address, in words of the machine's byte order, and a port."""
    address, _, port = text.partition(":")
    words = [int(address[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(address), 8)]
    return plain_address(ip_address(b"".join(words))), int(port, 16)


def _processes(proc: Path) -> Iterator[tuple[int, _Process]]:
    for folder in proc.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            before, _, after = (folder / "stat").read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        yield int(folder.name), _Process(int(after.split()[1]), before.partition("(")[2])


def _servers_above(processes: Mapping[int, _Process], pid: int) -> Iterator[int]:
    """The sshd processes that a process of another program runs below."""
    if processes[pid].serves:
        return
    for _ in range(DEEPEST):
        pid = processes[pid].parent
        if pid not in processes:
            return
        if processes[pid].serves:
            yield pid


def _held(proc: Path, servers: set[int]) -> tuple[set[str], int]:
    """The sockets that these processes hold, and how many of them may not be looked at."""
    held: set[str] = set()
    hidden = 0
    for pid in servers:
        try:
            held |= {str(each.readlink()) for each in (proc / str(pid) / "fd").iterdir()}
        except FileNotFoundError:  # it has just ended
            continue
        except OSError:
            hidden += 1
    return held, hidden
