"""Which SSH sessions a change could cut: found among the machine's connections and processes, whatever the environment says."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess

import pytest

from tests.enforce.world import World
from tests.live.namespace import why_unavailable
from twinwall.enforce import sessions
from twinwall.enforce.session import Session
from twinwall.enforce.sessions import established, find_sessions

ANN = Session.parse("192.0.2.9 40000 198.51.100.1 22")
BEN = Session.parse("2001:db8::9 40001 2001:db8::1 2222")
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def hexadecimal(address, port):
    words = [address.packed[at : at + 4][::-1].hex().upper() for at in range(0, len(address.packed), 4)]
    return f"{''.join(words)}:{port:04X}"


def row(session, inode, state="01"):
    local, remote = hexadecimal(session.server, session.server_port), hexadecimal(session.client, session.client_port)
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 20 4 30 10 -1\n"


class Machine:
    """A /proc."""

    def __init__(self, folder):
        self.proc = folder
        (folder / "thread-self" / "net").mkdir(parents=True)
        self.table("tcp")
        self.table("tcp6")

    def table(self, name, *rows):
        (self.proc / "thread-self" / "net" / name).write_text(HEAD + "".join(rows))

    def process(self, pid, parent, name, inodes=(), environment=b""):
        (self.proc / str(pid) / "fd").mkdir(parents=True)
        (self.proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0")
        (self.proc / str(pid) / "environ").write_bytes(environment)
        for number, inode in enumerate(inodes):
            os.symlink(f"socket:[{inode}]", self.proc / str(pid) / "fd" / str(number))

    def find(self, pid=99):
        return find_sessions(self.proc, pid)


@pytest.fixture
def machine(tmp_path):
    """Ann types in a shell below sshd, and a stranger has not logged in; a tmux server and its shell belong to nobody."""
    made = Machine(tmp_path)
    made.table("tcp", row(ANN, 11), row(Session.parse("203.0.113.5 5 198.51.100.1 22"), 12))
    made.process(1, 0, "init")
    made.process(10, 1, "sshd")
    made.process(20, 10, "sshd", [11])
    made.process(21, 20, "sshd", [11])
    made.process(22, 21, "bash")
    made.process(30, 10, "sshd", [12])
    made.process(31, 30, "sshd", [12])
    made.process(50, 1, "tmux: server")
    made.process(51, 50, "bash", environment=b"SSH_CONNECTION=192.0.2.9 39999 198.51.100.1 22\0")
    made.process(99, 1, "cron")
    return made


def test_who_has_a_shell_counts_and_a_stranger_who_has_not_logged_in_does_not(machine):
    assert machine.find() == sessions.Sessions((ANN,))


def test_a_session_that_the_environment_remembers_and_that_is_gone_is_said_and_the_others_count(machine):
    found = machine.find(51)
    assert found.living == (ANN,)
    assert "`192.0.2.9 39999 198.51.100.1 22`" in found.unchecked
    assert "the 1 SSH sessions that it has were checked instead" in found.unchecked


def test_where_there_is_no_other_session_it_is_said_that_nothing_was_checked(machine):
    machine.table("tcp")
    found = machine.find(51)
    assert found.living == ()
    assert found.unchecked.endswith("whether the connection that this is typed on would be cut was not checked")


def test_a_session_that_the_environment_names_counts_whoever_serves_it(machine):
    machine.table("tcp6", row(BEN, 13))
    machine.process(60, 1, "python", [13])
    machine.process(61, 60, "sh", environment=b"SSH_CONNECTION=2001:db8::9 40001 2001:db8::1 2222\0")
    assert machine.find(61) == sessions.Sessions((BEN, ANN))


def test_newer_names_of_sshd_and_other_servers_are_known(machine):
    machine.table("tcp6", row(BEN, 13))
    machine.process(60, 10, "sshd-session", [13])
    machine.process(61, 60, "sh")
    assert set(machine.find().living) == {ANN, BEN}


def test_ipv4_that_an_ipv6_socket_serves_is_ipv4(machine):
    mapped = Session.parse("::ffff:192.0.2.9 40000 ::ffff:198.51.100.1 22")
    words = "0000000000000000FFFF0000"
    plain = row(mapped, 11)
    for end in (hexadecimal(ANN.server, 22), hexadecimal(ANN.client, 40000)):
        plain = plain.replace(end, words + end)
    machine.table("tcp")
    machine.table("tcp6", plain)
    assert machine.find().living == (ANN,)


def test_connections_that_end_do_not_count(machine):
    machine.table("tcp", row(ANN, 11, "06"))
    assert established(machine.proc) == {}


def test_processes_that_may_not_be_looked_at_are_said(machine, monkeypatch):
    shutil.rmtree(machine.proc / "20" / "fd")
    (machine.proc / "20" / "fd").write_text("")  # reading it fails, as it does for those who are not root
    found = machine.find()
    assert found.living == (ANN,), "another process of the session shows it"
    assert "the connections of 1 sshd processes cannot be seen" in found.unchecked


def test_connections_that_cannot_be_read_are_said(machine):
    (machine.proc / "thread-self" / "net" / "tcp").unlink()
    (machine.proc / "thread-self" / "net" / "tcp").mkdir()
    assert machine.find().living == ()
    assert "no SSH session was checked" in machine.find().unchecked


def test_more_sessions_than_are_asked_about_are_said(machine, monkeypatch):
    monkeypatch.setattr(sessions, "MOST", 1)
    machine.table("tcp6", row(BEN, 13))
    machine.process(60, 10, "sshd", [13])
    machine.process(61, 60, "sh")
    assert machine.find().unchecked == "1 of 2 SSH sessions were checked"


SSHD = """ListenAddress 192.0.2.9
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
"""
SERVER = "mount -t tmpfs none /run; mkdir /run/sshd; exec {sshd} -D -e -f {folder}/sshd.conf"


@contextlib.contextmanager
def running(space, *command, stream=subprocess.DEVNULL):
    with subprocess.Popen(
        ["nsenter", f"--net={space.path}", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def logged_in(world):
    """Root on the gateway by ssh from outside, with `cat` for a shell."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("needs ssh and sshd")
    folder = world.folder
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
    with open(f"{folder}/sshd.conf", "w") as stream:
        stream.write(SSHD.format(folder=folder))
    world.router.run("ip", "addr", "add", "192.0.2.9/24", "dev", "in0")
    world.outside.run("ip", "addr", "add", "192.0.2.1/24", "dev", "near")
    script = SERVER.format(sshd=sshd, folder=folder)
    with running(world.router, "unshare", "--mount", "sh", "-ec", script, stream=subprocess.PIPE) as server:
        assert b"listening" in server.stderr.readline()
        options = [
            f"-i{folder}/user",
            "-Fnone",
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oBatchMode=yes",
        ]
        with running(world.outside, "ssh", *options, "root@192.0.2.9", "echo in; cat") as client:
            assert select.select([client.stdout], [], [], 20)[0]
            assert client.stdout.readline() == b"in\n"
            yield


@pytest.mark.kernel
def test_in_tmux_after_a_reconnect_the_session_of_sshd_is_found_and_the_policy_refused():
    """What the environment says is of a connection that is gone."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with World() as world, logged_in(world):
        host = ("apply", world.policies["a"], "--mode", "host", "--inside", "in0", "--yes")
        said = world.twinwall(*host, expect=5, SSH_CONNECTION="192.0.2.1 1 192.0.2.9 22")
        assert "it would cut the SSH connection 192.0.2.1:" in said
        assert "SSH_CONNECTION says `192.0.2.1 1 192.0.2.9 22`" in said
        assert world.programs() == {}
        assert "it would cut" in world.twinwall(*host, expect=5), "nor does it need the environment"
