"""A gateway in a network namespace, twinwall on it, and probes that say which policy it enforces.

The policies differ, in both stages, in which of the probes they let through: what comes out at the far side is what one policy
says, or a mixture of two.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import os
import pkgutil
import select
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator

import pytest

from tests.live.namespace import why_unavailable
from tests.oracle.kernel import (
    INSIDE_MAC,
    PATIENCE,
    SETUP,
    SYSCTLS,
    Namespace,
    marker,
    packet_socket,
)
from twinwall.enforce.journal import Outcome
from twinwall.enforce.marker import Marker
from twinwall.enforce.state import State
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.links import links
from twinwall.live.nft import Table, present
from twinwall.live.nft_objects import RULESETS, marker_text, objects
from twinwall.live.xdp import XdpStage
from twinwall.render.marks import slot
from twinwall.render.switch import generation_of

POLICY = """twinwall: 1
stateless:
  default: forward
  rules: |
    pass udp 192.0.2.1 any <> 192.0.2.2 any (sid:1;)
    drop udp any any -> any {stateless} (sid:10;)
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    pass udp any any -> any 1000:1999 (sid:99;)
    pass tcp any any -> any {stateful} (sid:100;)
attach: {{mode: gateway, inside: [in0], outside: [out0]}}
"""
UDP, TCP = (1001, 1002), (80, 443)
EVERYTHING = {f"udp {port}" for port in UDP} | {f"tcp {port}" for port in TCP}
RULESET = Table("inet", "twinwall")
CLONE_NEWNET = 0x40000000
PACKAGES = ("twinwall.cli", "twinwall.enforce", "twinwall.live", "twinwall.render", "twinwall.compile")


@functools.cache
def import_everything():
    """What commands import when they need it, imported once: each of them is a fork of this process."""
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)


class World:
    """The gateway: a context manager.  `policies` are paths by name; `allowed` what each lets through."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._count = 0

    def __enter__(self):
        import_everything()
        with contextlib.ExitStack() as stack:
            self.router = Namespace()
            stack.callback(self.router.close)
            self.outside = Namespace()
            stack.callback(self.outside.close)
            self.folder = tempfile.mkdtemp(prefix="twinwall-")
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._links()
            with self.outside.entered():
                self._near = stack.enter_context(packet_socket("near"))
                self._far = stack.enter_context(packet_socket("far"))
            self._policies()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _links(self):
        for name, far in (("in0", "near"), ("out0", "far")):
            self.router.run(
                "ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", str(self.outside.holder.pid)
            )
        lines = [f"echo {value} > /proc/sys/{name.replace('.', '/')}" for name, value in SYSCTLS.items()]
        lines += [f"ip link set {name} addrgenmode none" for name in ("in0", "out0")]
        lines += SETUP.format(inside=INSIDE_MAC, hop="02:00:00:00:00:02").replace("mtu 65535", "").strip().splitlines()
        lines += [f"echo 0 > /proc/sys/net/ipv4/conf/{name}/rp_filter" for name in ("in0", "out0")]
        self.router.run("sh", "-ec", "\n".join(lines))
        for name in ("near", "far"):
            self.outside.run("ip", "link", "set", name, "addrgenmode", "none", "up")

    def _policies(self):
        self.policies, self.allowed = {}, {}
        for number, name in enumerate(("a", "b")):
            path = os.path.join(self.folder, f"{name}.yaml")
            with open(path, "w") as stream:
                stream.write(POLICY.format(stateless=UDP[number], stateful=TCP[number]))
            self.policies[name] = path
            self.allowed[name] = {f"udp {UDP[1 - number]}", f"tcp {TCP[number]}"}

    @property
    def state(self):
        return os.path.join(self.folder, "state")

    # twinwall.
    def command(self, *arguments, **environment):
        """A function that runs a command line in the namespace, in whichever process it is called in for good."""

        def run():
            from twinwall.cli.exit_codes import run as run_command
            from twinwall.cli.main import cli

            libc = ctypes.CDLL(None, use_errno=True)
            with open(self.router.path) as there:
                assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            quiet = os.open(os.path.join(self.folder, "said"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            os.environ.pop("SSH_CONNECTION", None)
            os.environ.update({"TWINWALL_STATE": self.state, **environment})
            code = run_command(cli, [str(each) for each in arguments])
            sys.stdout.flush()
            sys.stderr.flush()
            return code

        return run

    def twinwall(self, *arguments, expect=0, **environment):
        """Run a command; what it said.  A fork: everything is imported already."""
        child = os.fork()
        if child == 0:
            code = 71
            try:
                code = self.command(*arguments, **environment)()
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert expect is None or code == expect, f"{arguments}: {code}\n{self.said}"
        return self.said

    @property
    def said(self):
        with open(os.path.join(self.folder, "said")) as stream:
            return stream.read()

    def apply(self, name, *more, **environment):
        return self.twinwall("apply", self.policies[name], "--yes", *more, **environment)

    # What the kernel does.
    def passes(self, patience=PATIENCE):
        """Which of the probes come out at the far side; None if not even the marker does."""
        while select.select([self._far], [], [], 0)[0]:
            self._far.recv(2048)  # of a stream: the buffer may be full of it
        self._count += 1
        port = 20_000 + self._count  # a connection of its own each time
        for name in sorted(EVERYTHING):
            protocol, _, to = name.partition(" ")
            said = f"{protocol} 198.51.100.9:{port} > 203.0.113.9:{to}" + (" S" if protocol == "tcp" else " len 8")
            self._near.send(frame(encode_ip(Conversation().say(said))))
        self._near.send(marker(self._count))
        found = set()
        while select.select([self._far], [], [], patience)[0]:
            seen = self._far.recv(2048)
            if seen[26:34] == bytes([192, 0, 2, 1, 192, 0, 2, 2]) and seen[42:50] == self._count.to_bytes(8, "big"):
                return found
            if seen[26:34] == bytes([198, 51, 100, 9, 203, 0, 113, 9]) and int.from_bytes(seen[34:36], "big") == port:
                found.add(f"{'tcp' if seen[23] == 6 else 'udp'} {int.from_bytes(seen[36:38], 'big')}")
        return None

    def enforced(self):
        """Which policy the gateway enforces: a name, `nothing`, or what passes where that is neither."""
        found = self.passes()
        if found == EVERYTHING:
            return "nothing"
        return next((name for name, allowed in self.allowed.items() if found == allowed), found)

    def plug_in0(self):
        """The inside interface, once more after it was gone."""
        script = (
            f"ip link add in0 type veth peer name near netns {self.outside.holder.pid}; ip link set in0 addrgenmode none;"
            f"ip link set in0 address {INSIDE_MAC} up; echo 0 > /proc/sys/net/ipv4/conf/in0/rp_filter"
        )
        self.router.run("sh", "-ec", script)
        self.outside.run("ip", "link", "set", "near", "addrgenmode", "none", "up")
        self._near.close()
        with self.outside.entered():
            self._near = packet_socket("near")
        self._stack.callback(self._near.close)

    @contextlib.contextmanager
    def stream(self):
        """Packets while the context lasts: those that every policy passes, and one that none does; then says what came out."""
        with self.outside.entered():
            far = packet_socket("far")  # of its own: who reads from it takes what the other waits for
        with far:
            running = Stream(self._near, far)
            try:
                yield running
            finally:
                running.end()

    def standing(self):
        """What tells whether anything has changed: the policy in force, and the trial."""
        with self.router.entered():
            pending = State(self.state).pending()
            return marker_text(RULESET), pending.id if pending else ""

    def forget_policies(self):
        """Remove from the state folder all policies but the one in force: the next `apply` has to store its own again."""
        state = State(self.state)
        force = state.current()
        for folder in (state.folder / "policies").glob("*"):
            if force is None or folder.name != force.chosen.digest:
                shutil.rmtree(folder)

    def policy_in_force(self):
        """The digest of the policy that the kernel holds; empty if it holds none."""
        with self.router.entered():
            held = Marker.parse(marker_text(RULESET))
            return held.digest if held else ""

    def noted(self):
        """The same, as one reads it in the journal."""
        told = ""
        for entry in State(self.state).journal.entries():
            if entry.outcome in (Outcome.DONE, Outcome.ON_TRIAL):
                told = entry.before if entry.action == "restore" else entry.policy
        return told

    def left_over(self):
        """What the kernel and the state folder hold of us that belongs to no policy in force."""
        with self.router.entered():
            force = State(self.state).current()
            marker = Marker.parse(marker_text(RULESET))
            own = marker.generation if marker else None
            way = force.way if force and marker else ""
            netdev = {f"twinwall_{slot(own)}"} if way == "nft" else set()
            tables = [each for each in present() if each.name != "twinwall" if each.name not in netdev]
            stale = [each.path for table in RULESETS for each in objects(table) if generation_of(each.name) not in (None, own)]
            if own is None:
                stale += [f"{table.family} {table.name}" for table in present()]
            files = map(str, State(self.state).folder.rglob(".*.new"))
            return [*map(str, tables), *stale, *files, *self._programs_left(own if way == "xdp" else None)]

    def _programs_left(self, own):
        wanted = {"in0", "out0"} if own is not None else set()
        found = {each.name for each in links() if each.xdp}
        for name in sorted(found ^ wanted):
            yield f"{name}: {'a' if name in found else 'no'} program"
        for name in sorted(found & wanted):
            with XdpStage.of(name) as stage:
                if stage.generation != own or stage.control.successor:
                    yield f"{name}: generation {stage.generation}, successor: {stage.control.successor}"

    def programs(self):
        """Our XDP programs: interface → number of the program."""
        with self.router.entered():
            return {each.name: each.xdp[0].program for each in links() if each.xdp}


class Stream:
    """Rounds of packets from one side to the other, each when the one before has come out or is given up.

    A round is a packet that no policy passes, one that the stateful stage passes, and a marker, which the stateless stage does.
    `lost` counts rounds of which something is missing, `wrong` those of which came out what should not have.
    """

    FIRST = 1 << 40
    PERIOD = 0.002  # seconds between two rounds: the processor is needed elsewhere
    PASSED, FORBIDDEN = 1500, 22

    def __init__(self, near, far):
        self.sent = self.lost = self.wrong = 0
        self._near, self._far = near, far
        self._said = [
            frame(encode_ip(Conversation().say(f"udp 198.51.100.10:{self.PASSED} > 203.0.113.10:{port} len 8")))
            for port in (self.FORBIDDEN, self.PASSED)
        ]
        self._stop = threading.Event()
        self._more = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(self.PERIOD):
            number = self.FIRST + self.sent
            for each in (*self._said, marker(number)):
                self._near.send(each)
            self.sent += 1
            self.lost += not self._came(number)
            self._more.set()

    def _came(self, number):
        waited = {self.PASSED, number}
        while waited and select.select([self._far], [], [], 1)[0]:
            seen = self._far.recv(2048)
            if seen[42:50] == number.to_bytes(8, "big"):
                waited.discard(number)
            elif seen[26:34] == bytes([198, 51, 100, 10, 203, 0, 113, 10]):
                port = int.from_bytes(seen[36:38], "big")
                waited.discard(port)
                self.wrong += port == self.FORBIDDEN
        return not waited

    def some(self):
        """Wait until another one has gone through."""
        self._more.clear()
        assert self._more.wait(PATIENCE)

    def end(self):
        self._stop.set()
        self._thread.join()


def frame(packet):
    """An IPv4 packet on the inside link."""
    return bytes.fromhex(INSIDE_MAC.replace(":", "")) + b"\x02\0\0\0\0\x09\x08\0" + packet


def in_world() -> Iterator[World]:
    """What a fixture yields; a skip by name where it cannot be."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        yield made
