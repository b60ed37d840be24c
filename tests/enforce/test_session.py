"""The SSH session a command is typed on, found behind sudo."""

from ipaddress import ip_address

import pytest

from twinwall.enforce.session import Session, find_session

SESSION = Session.parse("192.0.2.9 40000 198.51.100.1 22")


def test_ipv4_that_sshd_writes_as_ipv6_is_ipv4():
    assert Session.parse("::ffff:192.0.2.9 40000 ::ffff:198.51.100.1 22") == SESSION


@pytest.mark.parametrize("text", ["", "192.0.2.9 40000", "host 1 host 2", "192.0.2.9 x 198.51.100.1 22"])
def test_what_sshd_never_writes_is_no_session(text):
    assert Session.parse(text) is None


def process(proc, pid, parent, environment):
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "environ").write_bytes(environment)
    (proc / str(pid) / "stat").write_text(f"{pid} (a (strange) name) S {parent} 1 1 0")


def test_the_session_is_found_behind_sudo(tmp_path):
    process(tmp_path, 30, 20, b"PATH=/bin\0SUDO_USER=ann\0")
    process(tmp_path, 20, 10, b"PATH=/bin\0")
    process(tmp_path, 10, 1, b"HOME=/\0SSH_CONNECTION=192.0.2.9 40000 198.51.100.1 22\0")
    assert find_session(tmp_path, 30) == SESSION
    assert find_session(tmp_path, 30).client == ip_address("192.0.2.9")


def test_where_nobody_has_one_there_is_none(tmp_path):
    process(tmp_path, 30, 1, b"PATH=/bin\0")
    assert find_session(tmp_path, 30) is None
    assert find_session(tmp_path, 31) is None
