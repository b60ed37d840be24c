"""The policy is changed again and again while packets come in: none that every policy passes is lost, none that every one drops
passes.

The policies' maps are large enough that the kernel takes a while to publish them; `test_..._in_one_transaction` shows that the
packets come fast enough to notice.
"""

from __future__ import annotations

import functools
import itertools
import os
import pickle
import select
import socket
import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.enforce.world import World, frame, in_world
from tests.oracle.kernel import PATIENCE
from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.design import design
from twinwall.enforce.linux import LinuxKernel
from twinwall.enforce.machine import LinuxMachine
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Preference, State
from twinwall.enforce.transaction import replace
from twinwall.live import nft
from twinwall.policy.model import Policy
from twinwall.rules.policy_file import read_policy_text

pytestmark = pytest.mark.kernel

RELOADS, AT_ONCE, TRIES = 30, 10, 10
QUIET = 1  # seconds after which nothing more will come
OTHERS = 200  # rules that no packet of the test matches
PASSED, DROPPED, DROPPED_EARLY = 7000, 7001, 7002
ONCE = 512  # source ports of connections that have one packet in each round
HEAD = bytes.fromhex("4500002000000000401100005a5a5a5a5b5b5b5b")
END = 9

POLICY = """twinwall: 1
stateless:
  default: forward
  rules: |
    drop udp any any -> any {early} (sid:1;)
    drop udp 10.{turn}.0.0/16 any -> any [1:99] (sid:2;)
stateful:
  order: strict
  default: drop_strict
  rules: |
    drop udp any any -> any {dropped} (sid:10;)
    pass udp 90.90.0.0/16 any -> any {passed} (sid:11;)
{others}
attach: {{mode: gateway, inside: [in0], outside: [out0]}}
"""


@functools.cache
def read(turn: int) -> tuple[Source, Policy]:
    """A policy of which nothing that the packets meet depends on `turn`."""
    others = "\n".join(
        f"    pass udp 10.{turn}.{each >> 3}.{each % 8 * 32}/27 any -> any {20 + each} (sid:{100 + each};)"
        for each in range(OTHERS)
    )
    text = POLICY.format(early=DROPPED_EARLY, dropped=DROPPED, passed=PASSED, turn=turn, others=others)
    policy, mistakes = read_policy_text(text, "policy.yaml", lambda name: "")
    assert policy is not None, mistakes
    return Source(Kind.POLICY, (("policy.yaml", text),)), policy


class Gateway:
    """twinwall in the world's router, changed step by step as `apply` does it."""

    def __init__(self, world: World, way: str) -> None:
        self.space = world.router
        self.kernel = LinuxKernel(State(Path(world.folder, "state")))
        self.machine = LinuxMachine(self.kernel.programs)
        self.preference = Preference(way)
        self.now: Blueprint | None = None

    def next(self, turn: int) -> Blueprint:
        return design(*read(turn), self.now.force if self.now else None, self.machine, preference=self.preference)

    def change(self, turn: int) -> None:
        with self.space.entered():
            new = self.next(turn)
            replace(self.kernel, self.now, new)
        self.now = new

    def change_in_one_transaction(self, turn: int) -> None:
        with self.space.entered():
            new = self.next(turn)
            nft.load(new.ruleset.text)
        self.now = new

    def stop(self) -> None:
        with self.space.entered():
            replace(self.kernel, self.now, None)


def packet(source: int, destination: int) -> bytes:
    head = bytearray(HEAD)
    total = sum(struct.unpack("!10H", head))
    head[10:12] = struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    return frame(bytes(head) + struct.pack("!HHHHI", source, destination, 12, 0, 0))


class Flows:
    """Sends as fast as it can, to each port by one connection and by many; counts what comes out.

    A context manager: a process of its own sends while it lasts, and the counts are there afterwards.
    """

    def __init__(self, world: World) -> None:
        ports = (PASSED, DROPPED, DROPPED_EARLY)
        self.rounds = [[packet(source, port) for source in (100, 1000 + each) for port in ports] for each in range(ONCE)]
        with world.outside.entered():
            self.near, self.far = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW) for _ in range(2))
            self.near.bind(("near", 0))
            self.far.bind(("far", 0x0800))
        self.far.setblocking(False)
        self.stop, self.said = os.pipe(), os.pipe()
        self.sent = 0  # to each port
        self.out: Counter[int] = Counter()

    def __enter__(self):
        self.child = os.fork()
        if self.child == 0:
            try:
                self.send()
            finally:
                os._exit(0)
        os.read(self.said[0], 1)  # the first round is through
        return self

    def __exit__(self, *_):
        os.write(self.stop[1], b".")
        os.waitpid(self.child, 0)
        self.sent, self.out = pickle.loads(os.read(self.said[0], 1 << 12))
        for each in (*self.stop, *self.said):
            os.close(each)
        self.near.close()
        self.far.close()

    def send(self) -> None:
        rounds = itertools.cycle(self.rounds)
        while not select.select([self.stop[0]], [], [], 0)[0]:
            for each in next(rounds):
                self.near.send(each)
            self.sent += 2
            self.drain()
            if self.sent == 2:
                os.write(self.said[1], b".")
        self.near.send(packet(END, PASSED))
        while self.out[END] == 0 and select.select([self.far], [], [], PATIENCE)[0]:
            self.drain()
        # What another processor took in earlier may come later than the end: it counts as long as something comes.
        while self.out[PASSED] < self.sent and select.select([self.far], [], [], QUIET)[0]:
            self.drain()
        os.write(self.said[1], pickle.dumps((self.sent, self.out)))

    def drain(self) -> None:
        while True:
            try:
                came = self.far.recv(2048)
            except BlockingIOError:
                return
            if came[26:30] == HEAD[12:16]:
                source, destination = struct.unpack("!HH", came[34:38])
                self.out[END if source == END else destination] += 1

    @property
    def lost(self) -> int:
        return self.sent - self.out[PASSED]

    @property
    def wrongly_passed(self) -> int:
        return self.out[DROPPED] + self.out[DROPPED_EARLY]


world = pytest.fixture(in_world)


@pytest.mark.parametrize("way", ["auto", "nft"])
def test_nothing_is_lost_and_nothing_passes_wrongly(world: World, way: str):
    gateway = Gateway(world, way)
    gateway.change(0)
    with Flows(world) as flows:
        for turn in range(RELOADS):
            gateway.change(1 + turn % 2)
    gateway.stop()
    assert (flows.lost, flows.wrongly_passed) == (0, 0), f"of {flows.sent} to each port, {gateway.now.force.way}"


def test_packets_are_lost_in_one_transaction(world: World):
    """How many is chance; on a busy machine a whole try may lose none."""
    gateway = Gateway(world, "nft")
    gateway.change(0)
    for _ in range(TRIES):
        with Flows(world) as flows:
            for turn in range(AT_ONCE):
                gateway.change_in_one_transaction(1 + turn % 2)
        if flows.lost:
            return
    pytest.fail(f"of {flows.sent} packets none was lost in the last of {TRIES} tries")
