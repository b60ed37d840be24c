"""The commands of a safe change, on a gateway in a namespace: what they say, and what the kernel then enforces."""

import contextlib
import ctypes
import dataclasses
import os
import select
import signal
import socket
import time

import pytest

from tests.enforce import tracer
from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce import watchdog
from twinwall.enforce.lock import Lock, is_held, read_holder
from twinwall.enforce.state import State
from twinwall.live.sysctl import read

pytestmark = pytest.mark.kernel
PATIENCE = 20


@pytest.fixture
def world():
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as made:
        yield made
        watch = State(made.state).watch_lock
        if is_held(watch):
            os.kill(read_holder(watch).pid, signal.SIGKILL)


def until(condition):
    """Wait for something that another process does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        select.select([], [], [], 0.02)


def unwatched(world):
    """Whether the trial is over and its watchdog gone."""
    state = State(world.state)
    return state.pending() is None and not is_held(state.watch_lock)


def outcomes(world):
    return [(entry.action, entry.outcome.value) for entry in State(world.state).journal.entries()]


def expire(world):
    state = State(world.state)
    state.set_pending(dataclasses.replace(state.pending(), deadline=0.0))


def kill_watchdog(world):
    watch = State(world.state).watch_lock
    os.kill(read_holder(watch).pid, signal.SIGKILL)
    until(lambda: not is_held(watch))


def test_a_policy_is_planned_applied_changed_and_taken_away(world):
    assert "2 added" not in world.twinwall("plan", world.policies["a"], expect=6)[:20]
    assert world.enforced() == "nothing"
    world.apply("a")
    assert world.enforced() == "a"
    assert world.programs().keys() == {"in0", "out0"}
    assert "nothing would change" in world.twinwall("plan", world.policies["a"])
    said = world.twinwall("plan", world.policies["b"], expect=6)
    assert "2 changed" in said
    assert "drop udp any any -> any 1002" in said
    world.apply("b")
    assert world.enforced() == "b"
    world.twinwall("stop", "--yes")
    assert world.enforced() == "nothing"
    assert world.programs() == {}
    assert "twinwall" not in world.router.run("nft", "list", "tables")
    world.twinwall("rollback", "--yes")
    assert world.enforced() == "b"


def test_kernel_settings_are_the_policy_s_while_it_is_in_force(world):
    name = "net.netfilter.nf_conntrack_udp_timeout"
    with world.router.entered():
        before = read(name)
    changed = os.path.join(world.folder, "c.yaml")
    with open(world.policies["a"]) as old, open(changed, "w") as new:
        new.write(old.read() + "timeouts: {udp: 7s}\n")
    assert f"{name}: {before} → 7" in world.twinwall("plan", changed, expect=6)
    for path, value in ((changed, "7"), (world.policies["a"], "30"), (changed, "7")):
        world.twinwall("apply", path, "--yes")
        with world.router.entered():
            assert read(name) == value
    world.twinwall("stop", "--yes")
    with world.router.entered():
        assert read(name) == before


def test_a_trial_that_nobody_confirms_ends_with_the_old_policy(world):
    world.apply("a")
    said = world.apply("b", "--confirm-within", "2s")
    assert "twinwall confirm" in said
    assert world.enforced() == "b"
    assert "is on trial" in world.twinwall("apply", world.policies["a"], "--yes", expect=5)
    until(lambda: unwatched(world))
    assert world.enforced() == "a"
    assert outcomes(world)[-1] == ("restore", "done")
    assert "nothing is on trial" in world.twinwall("confirm", expect=5)


def test_a_first_trial_ends_with_nothing(world):
    world.apply("a", "--confirm-within", "1s")
    until(lambda: unwatched(world))
    assert world.enforced() == "nothing"
    assert world.programs() == {}


def test_a_confirmed_trial_stays(world):
    world.apply("a")
    world.apply("b", "--confirm-within", "1h")
    world.twinwall("confirm")
    until(lambda: unwatched(world))
    assert world.enforced() == "b"
    assert State(world.state).confirmed().policy.name == world.policies["b"]


def test_a_trial_whose_watchdog_was_killed_is_ended_by_the_next_command(world):
    world.apply("a")
    world.apply("b", "--confirm-within", "1h")
    kill_watchdog(world)
    assert "with a new watchdog" in world.twinwall("plan", world.policies["b"])
    assert is_held(State(world.state).watch_lock)
    assert world.enforced() == "b"
    kill_watchdog(world)
    expire(world)
    assert "restored" in world.twinwall("confirm", expect=5)
    assert world.enforced() == "a"


@pytest.mark.parametrize("part", [0.2, 0.6])
def test_a_trial_whose_command_was_killed_ends_with_the_old_policy(world, part):
    world.apply("a")
    command = world.command("apply", world.policies["b"], "--yes", "--confirm-within", "1h")

    def run():
        from twinwall.enforce import transaction

        replace = transaction.replace

        def marked(*arguments):
            tracer.mark()
            replace(*arguments)

        transaction.replace = marked
        return command()

    stops = len(tracer.run(run).boundaries)
    world.twinwall("rollback")
    until(lambda: unwatched(world))
    assert tracer.run(run, int(stops * part)).killed
    pending = State(world.state).pending()
    if pending is not None:  # else it was `nft` that was killed, and the command took everything back itself
        kill_watchdog(world)
        expire(world)
        with world.router.entered():
            watchdog.arm(State(world.state), dataclasses.replace(pending, deadline=0.0))
    until(lambda: unwatched(world))
    assert world.enforced() == "a"


def test_who_changes_the_policy_is_told_who_else_does(world):
    world.apply("a")
    with Lock(State(world.state).lock, "apply"):
        said = world.apply("b", "--no-wait", expect=5)
    assert f"`twinwall apply` (process {os.getpid()})" in said
    assert world.enforced() == "a"


SESSION = "192.0.2.1 40000 192.0.2.9 22"


@contextlib.contextmanager
def connection(world):
    """The connection that `SESSION` names, between two sockets of the gateway."""
    world.router.run("sh", "-ec", "ip link set lo up; ip addr add 192.0.2.1/32 dev lo; ip addr add 192.0.2.9/32 dev lo")
    with world.router.entered():
        server, client = socket.socket(), socket.socket()
    with server, client:
        server.bind(("192.0.2.9", 22))
        server.listen()
        client.bind(("192.0.2.1", 40000))
        client.connect(("192.0.2.9", 22))
        # The route would say that it comes in through lo, which is not attached.
        world.router.run("ip", "addr", "del", "192.0.2.1/32", "dev", "lo")
        world.router.run("ip", "route", "add", "192.0.2.1/32", "dev", "in0")
        yield


def test_a_policy_that_cuts_the_ssh_session_is_refused(world):
    host = ("apply", world.policies["a"], "--mode", "host", "--inside", "in0", "--yes")
    with connection(world):
        said = world.twinwall(*host, expect=5, SSH_CONNECTION=SESSION)
        assert "--cut-me-off" in said
        assert "192.0.2.1:40000 > 192.0.2.9:22" in said
        assert world.enforced() == "nothing"
        world.twinwall(*host, "--cut-me-off", SSH_CONNECTION=SESSION)
    assert world.programs().keys() == {"in0"}


def test_a_gateway_s_stateful_rules_do_not_cut_its_own_ssh_session(world):
    with connection(world):
        assert "SSH" not in world.apply("a", SSH_CONNECTION=SESSION)
    entry = list(State(world.state).journal.entries())[-1]
    assert entry.author.client == "192.0.2.1"


def test_a_session_of_the_past_is_said_not_to_have_been_checked(world):
    host = ("apply", world.policies["a"], "--mode", "host", "--inside", "in0", "--yes")
    said = world.twinwall(*host, SSH_CONNECTION=SESSION)
    assert f"SSH_CONNECTION says `{SESSION}`, and this network namespace has no such connection" in said
    assert "was not checked" in said


def test_a_policy_that_linux_cannot_enforce_is_refused_by_name(world):
    path = os.path.join(world.folder, "c.yaml")
    with open(world.policies["a"]) as old, open(path, "w") as new:
        new.write(old.read() + "tracking: {flows: rules}\n")
    world.apply("a")
    assert "flows" in world.twinwall("apply", path, "--yes", expect=3)
    assert world.enforced() == "a"


def test_a_policy_without_interfaces_is_refused(world):
    path = os.path.join(world.folder, "c.yaml")
    with open(path, "w") as new:
        new.write("twinwall: 1\n")
    assert "--inside" in world.twinwall("apply", path, "--yes", expect=5)


def test_nobody_is_asked_where_nobody_is(world):
    said = world.twinwall("apply", world.policies["a"], expect=2)
    assert "--yes" in said
    assert world.enforced() == "nothing"


def full_disk(world):
    """What leaves the state folder no room: a file system of its own, in a mount namespace of the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x20000) == 0
    assert libc.mount(None, b"/", None, 0x4000 | 0x40000, None) == 0
    assert libc.mount(b"tmpfs", os.fsencode(world.state), b"tmpfs", 0, b"size=4k") == 0
    with open(os.path.join(world.state, "filler"), "w") as filler:
        filler.write("x" * 4096)


@pytest.mark.parametrize("more", [(), ("--confirm-within", "60s")])
def test_a_full_disk_refuses_a_change_before_it_begins(world, more):
    world.apply("a")
    world.twinwall("stop", "--yes")

    def run():
        full_disk(world)
        return world.command("apply", world.policies["b"], "--yes", *more)()

    child = os.fork()
    if child == 0:
        os._exit(run())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    assert "No space left" in world.said
    assert world.enforced() == "nothing"
    assert world.programs() == {}


def test_ipv6_switched_off_does_not_matter(world):
    world.router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
    world.apply("a")
    assert world.enforced() == "a"


def test_a_connection_of_a_policy_long_gone_is_not_taken_for_the_new_one_s(world):
    """Generations are numbered 1 to 7: a connection that slept meanwhile has the mark of another policy of that number."""
    world.apply("a")
    world.apply("b")
    assert world.enforced() == "b"
    find = "conntrack -L -o extended 2> /dev/null | sed -n 's/.*sport=20001 dport=443 .*mark=\\([0-9]*\\).*/\\1/p'"

    def generation():
        return int(world.router.run("sh", "-c", find)) >> 29

    numbers = []
    for name in ("a", "b", "a", "b", "a", "b"):
        assert generation() == 2
        world.apply(name)
        numbers.append(State(world.state).current().generation)
    assert numbers == [3, 4, 5, 6, 7, 2]
    assert generation() == 0


def test_reloads_in_every_form_lose_no_packet_that_both_policies_pass(world):
    world.apply("a")
    ways = [("b", "xdp"), ("a", "nft"), ("b", "nft"), ("a", "xdp"), ("b", "xdp"), ("a", "xdp")]
    with world.stream() as stream:
        for name, way in ways:
            world.apply(name, "--stateless", way)
            stream.some()
    assert stream.lost == 0
    assert stream.sent > 100
    assert world.enforced() == "a"
