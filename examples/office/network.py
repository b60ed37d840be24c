"""An office, a router and the internet as three network namespaces, built and removed by one `with` statement.

    inside 10.20.0.0/16 ──── router ──── outside 198.51.100.0/24 and 203.0.113.0/24

Everything that is started in it ends with it, also when something fails; the machine's own interfaces are never touched.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

INSIDE = ["10.20.0.1/16", "2001:db8:20::1/64"]  # the router's addresses
OUTSIDE = ["198.51.100.1/24", "2001:db8:100::1/64"]
HOST = ["10.20.0.10/16", "10.20.0.80/16", "2001:db8:20::10/64", "2001:db8:20::80/64"]
SERVERS = ["198.51.100.7/24", "198.51.100.22/24", "198.51.100.53/24", "203.0.113.9/32", "2001:db8:100::7/64"]
GATEWAY = ["198.51.100.7", "2001:db8:100::7"]  # where the router sends what belongs to the rest of the internet
PATIENCE = 30  # seconds that one program may take
END = 5  # seconds that a program gets to end after it was asked to


class Office:
    """Runs programs in the namespaces; use `office` to make one."""

    def __init__(self) -> None:
        self.prefix = f"twoffice{os.getpid()}"
        self.running: list[subprocess.Popen[bytes]] = []

    def name(self, place: str) -> str:
        """The name of the namespace that stands for `inside`, `router` or `outside`."""
        return f"{self.prefix}-{place}"

    def command(self, place: str, *words: str | Path) -> list[str]:
        """The command line that runs a program there."""
        return ["ip", "netns", "exec", self.name(place), *map(str, words)]

    def run(self, place: str, *words: str | Path, fails: bool = False) -> str:
        """Run a program to its end and return what it printed; `fails` says that a failure is part of the story."""
        done = subprocess.run(
            self.command(place, *words), capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0 and not fails:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self, place: str, *words: str | Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a server; it ends with the office."""
        process = subprocess.Popen(self.command(place, *words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def listening(self, place: str, port: int) -> None:
        """Wait until something there listens on `port`."""
        limit = time.monotonic() + PATIENCE
        while f":{port} " not in self.run(place, "ss", "-Hltun"):
            if time.monotonic() > limit:
                raise RuntimeError(f"nothing listens on port {port} after {PATIENCE} s")
            time.sleep(0.05)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End one server: by request, then by force."""
        process.terminate()
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def join(self, place: str, addresses: list[str], router_addresses: list[str]) -> None:
        """Connect a namespace to the router by a pair of interfaces with real checksums and real packet sizes."""
        ends = [("router", place, router_addresses), (place, "eth0", addresses)]
        peer = ["peer", "name", "eth0", "netns", self.name(place)]
        self.run("router", "ip", "link", "add", place, "type", "veth", *peer)
        for where, interface, own in ends:
            self.run(where, "ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            for address in own:
                extra = ["nodad"] if ":" in address else []
                self.run(where, "ip", "address", "add", address, "dev", interface, *extra)
            self.run(where, "ip", "link", "set", interface, "up")
        for address in router_addresses:
            family = "-6" if ":" in address else "-4"
            self.run(place, "ip", family, "route", "add", "default", "via", address.split("/")[0])

    def build(self) -> None:
        """Make the three namespaces and the routes between them."""
        for place in ("inside", "router", "outside"):
            subprocess.run(["ip", "netns", "add", self.name(place)], check=True)
            self.run(place, "ip", "link", "set", "lo", "up")
        for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.run("router", "sysctl", "-qw", f"{setting}=1")
        self.join("inside", HOST, INSIDE)
        self.join("outside", SERVERS, OUTSIDE)
        self.run("router", "ip", "route", "add", "default", "via", GATEWAY[0])
        self.run("router", "ip", "-6", "route", "add", "default", "via", GATEWAY[1])

    def remove(self) -> None:
        """End what was started and remove the namespaces."""
        for process in reversed(self.running):
            self.stop(process)
        for place in ("inside", "router", "outside"):
            subprocess.run(["ip", "netns", "delete", self.name(place)], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def office() -> Iterator[Office]:
    """An office that exists inside the `with` block."""
    place = Office()
    try:
        place.build()
        yield place
    finally:
        place.remove()
