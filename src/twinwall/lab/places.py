"""The inside and the outside: network namespaces that end with this process, joined to the one it is in, the firewall's.

A namespace is held by a file descriptor.  Programs enter it with `nsenter`; links into it are made from the firewall.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from twinwall.lab import addresses
from twinwall.live.error import EnforcementError

CLONE_NEWNET = 0x40000000
PATIENCE = 20  # seconds that one program may take
PROGRAM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")  # not on everybody's PATH

# Addresses that work at once; nothing asks for routers.
IPV6_SETTINGS = {
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
# The firewall routes and does not filter: what its routing would refuse by itself is the policy's to judge.
FIREWALL_SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/icmp_ratelimit": "0",
    **IPV6_SETTINGS,
}
# Hosts that answer everything they get, so that what got in can be seen.
HOST_SETTINGS = {
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 0",
    **IPV6_SETTINGS,
}

_libc = ctypes.CDLL(None, use_errno=True)


def search_path() -> str:
    """Where programs are looked for."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *PROGRAM_FOLDERS))


def program(name: str) -> str | None:
    """Where a program is; None if it is not installed."""
    return shutil.which(name, path=search_path())


def has_ipv6() -> bool:
    """Whether this kernel speaks IPv6."""
    return Path("/proc/sys/net/ipv6").exists()


def usable(texts: Sequence[str]) -> list[str]:
    """The addresses that this kernel can have."""
    return [text for text in texts if ":" not in text or has_ipv6()]


def settings(values: dict[str, str]) -> None:
    """Write network settings of the namespace that the calling thread is in."""
    for name, value in values.items():
        if not name.startswith("net/ipv6") or has_ipv6():
            Path("/proc/sys", name).write_text(value)


class Place:
    """A network namespace of its own."""

    def __init__(self) -> None:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _check(_libc.unshare(CLONE_NEWNET), "make a network namespace")
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "return to the firewall's namespace")
            os.close(home)
        self.run("ip", "link", "set", "lo", "up")
        with self.entered():
            settings(HOST_SETTINGS)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread into the namespace: sockets made here stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _check(_libc.setns(self.descriptor, CLONE_NEWNET), "enter a network namespace")
        try:
            yield
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "return to the firewall's namespace")
            os.close(home)

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line that runs a program here."""
        return [found("nsenter"), f"--net=/proc/self/fd/{self.descriptor}", found(words[0]), *words[1:]]

    def run(self, *words: str) -> str:
        """Run a program to its end; what it printed.  Raises `EnforcementError` if it fails."""
        return checked(self.command(words), (self.descriptor,))

    def attempt(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program that may fail."""
        return execute(self.command(words), (self.descriptor,))

    def start(self, words: Sequence[str], log: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start a program that goes on until it is ended, or with the lab."""
        return subprocess.Popen(
            self.command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(self.descriptor,)
        )


def found(name: str) -> str:
    """Where a program is.  Raises `EnforcementError` if it is not installed."""
    path = program(name)
    if path is None:
        raise EnforcementError(
            "build the lab", f"the program {name} is not installed", f"install {name}; the lab cannot do without"
        )
    return path


def execute(command: Sequence[str], descriptors: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, or to the end of the lab's patience (exit code 124, as timeout(1) has it)."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False,
            stdin=subprocess.DEVNULL, pass_fds=descriptors,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(late.cmd, 124, "", f"still running after {PATIENCE} s")


def checked(command: Sequence[str], descriptors: tuple[int, ...] = ()) -> str:
    """Run a program that must not fail.  Raises `EnforcementError`."""
    done = execute(command, descriptors)
    if done.returncode != 0:
        cause = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise EnforcementError(" ".join(command), cause, "run it as root on a kernel with network namespaces and veth")
    return done.stdout


def _check(result: int, action: str) -> None:
    if result != 0:
        cause = os.strerror(ctypes.get_errno())
        raise EnforcementError(action, cause, "run it as root, or allow unprivileged user namespaces")


class Site:
    """The three places.  The firewall is the namespace of the process; its two interfaces have the names that are asked for."""

    def __init__(self, inside_interface: str, outside_interface: str) -> None:
        self.interfaces = {"inside": inside_interface, "outside": outside_interface}
        checked([found("ip"), "link", "set", "lo", "up"])
        settings(FIREWALL_SETTINGS)
        self.inside = Place()
        self.outside = Place()
        self._join(self.inside, inside_interface, addresses.INSIDE, addresses.FIREWALL_INSIDE)
        self._join(self.outside, outside_interface, addresses.OUTSIDE, addresses.FIREWALL_OUTSIDE)
        checked([found("ip"), "route", "add", "default", "via", addresses.INTERNET])

    def place(self, name: str) -> Place:
        """The place called `inside` or `outside`."""
        return self.inside if name == "inside" else self.outside

    def _join(self, place: Place, interface: str, own: Sequence[str], ours: Sequence[str]) -> None:
        """A pair of interfaces with real checksums and real packet sizes."""
        namespace = f"/proc/{os.getpid()}/fd/{place.descriptor}"
        checked([found("ip"), "link", "add", "name", interface, "type", "veth", "peer", "name", "eth0", "netns", namespace])
        _dress([], interface, ours)
        _dress(place.command(["true"])[:-1], "eth0", own, (place.descriptor,))
        for address in usable(ours):
            place.run("ip", "-6" if ":" in address else "-4", "route", "add", "default", "via", address.split("/")[0])


def _dress(prefix: list[str], interface: str, own: Sequence[str], descriptors: tuple[int, ...] = ()) -> None:
    """Offloads off, addresses on, link up."""
    ip, offloads = found("ip"), ("tx", "tso", "gso", "gro")
    switches = [word for name in offloads for word in (name, "off")]
    checked([*prefix, found("ethtool"), "-K", interface, *switches], descriptors)
    for address in usable(own):
        extra = ["nodad"] if ":" in address else []
        checked([*prefix, ip, "address", "add", address, "dev", interface, *extra], descriptors)
    checked([*prefix, ip, "link", "set", interface, "up"], descriptors)
