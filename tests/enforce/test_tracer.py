"""The tracer kills where it says, and counts what may matter."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.enforce import calls, tracer
from tests.enforce.tracer import OURSELVES, Boundary
from twinwall.live.netlink import NETLINK_ROUTE, NetlinkSocket

RTM_GETLINK, NO_KIND = 18, 127  # which is of no message, and counts as one that may do something
LINK_MESSAGE = bytes(16)  # of no interface

pytestmark = pytest.mark.skipif(not calls.KNOWN, reason="the table of system calls is of x86-64")


@pytest.fixture
def writes(tmp_path):
    """A function that writes a file in two pieces, and the file."""
    path = tmp_path / "file"

    def function():
        tracer.mark()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"one")
        os.lseek(descriptor, 0, os.SEEK_CUR)
        os.write(descriptor, b"two")
        return 7

    return function, path


def test_every_boundary_of_what_may_matter_is_counted(writes):
    function, path = writes
    ended = tracer.run(function)
    assert (ended.status, ended.killed) == (7, None)
    assert path.read_bytes() == b"onetwo"
    named = [str(each) for each in ended.boundaries if each.call in ("openat", "write")]
    assert named == [
        f"{side} {call} of {OURSELVES}" for call in ("openat 1", "write 1", "write 2") for side in ("before", "after")
    ]
    assert not any(each.call == "lseek" for each in ended.boundaries)


def test_the_harmless_ones_are_counted_if_asked_for(writes):
    ended = tracer.run(writes[0], harmless=True)
    assert Boundary(OURSELVES, "lseek", 1, "after") in ended.boundaries


@pytest.mark.parametrize(("side", "content"), [("before", b"one"), ("after", b"onetwo")])
def test_killed_before_a_call_it_has_not_happened_and_after_it_has(writes, side, content):
    function, path = writes
    at = Boundary(OURSELVES, "write", 2, side)
    ended = tracer.run(function, at)
    assert (ended.status, ended.killed) == (-signal.SIGKILL, at)
    assert path.read_bytes() == content


def test_a_boundary_can_be_chosen_by_its_number(writes):
    whole = tracer.run(writes[0]).boundaries
    assert tracer.run(writes[0], 3).killed == whole[2]


def test_programs_that_it_starts_are_counted_by_their_names(tmp_path):
    def function():
        tracer.mark()
        return subprocess.run(["touch", tmp_path / "touched"], check=False).returncode

    at = Boundary("touch", "openat", 1, "before")
    ended = tracer.run(function, at)
    assert ended.killed == at
    assert ended.status != 0
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(("kind", "counted"), [(RTM_GETLINK, False), (NO_KIND, True)])
def test_a_question_over_netlink_is_harmless_and_what_may_be_a_command_is_not(kind, counted):
    def function():
        with NetlinkSocket(NETLINK_ROUTE) as kernel:
            tracer.mark()
            kernel.send("ask", kind, LINK_MESSAGE)
        return 0

    named = [each.call for each in tracer.run(function).boundaries]
    assert ("sendto" in named) == counted
