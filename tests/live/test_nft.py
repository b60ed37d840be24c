"""Transactions, and errors that name the rule."""

from __future__ import annotations

import os

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import nft, nft_library
from twinwall.live.error import EnforcementError
from twinwall.live.nft import Table, refusal

OURS = Table("inet", "twinwall")
GOOD = """table inet twinwall {
\tmap m {
\t\ttype ipv4_addr . inet_service : mark; flags interval; counter;
\t\telements = {
\t\t\t10.0.0.0/8 . 80-90 comment "sid 1" : 0x00100001,
\t\t}
\t}
}
"""
OVERLAPPING = GOOD.replace("\t\t}\n\t}", '\t\t\t10.0.0.0/24 . 80-90 comment "sid 2" : 2,\n\t\t}\n\t}')

namespace = pytest.fixture(in_namespace)


@pytest.mark.kernel
def test_a_transaction_is_done_and_read_back(namespace):
    assert nft.present() == ()
    assert nft.listing(OURS) == []
    nft.load(GOOD)
    assert nft.present() == (OURS,)
    (element,) = next(each["map"] for each in nft.listing(OURS) if "map" in each)["elem"]
    assert element[0]["elem"]["comment"] == "sid 1"
    assert element[0]["elem"]["counter"] == {"packets": 0, "bytes": 0}


@pytest.mark.kernel
def test_all_of_a_transaction_or_nothing(namespace):
    with pytest.raises(EnforcementError, match=r"load the ruleset: .*sid"):
        nft.load("add table inet twinwall\n" + OVERLAPPING)
    assert nft.present() == ()


@pytest.mark.kernel
def test_a_check_changes_nothing(namespace):
    nft.check(GOOD)
    assert nft.present() == ()
    with pytest.raises(EnforcementError, match=r"line 1 of the ruleset: table inet twinwall \{ nonsense \}"):
        nft.check("table inet twinwall { nonsense }")


@pytest.mark.kernel
@pytest.mark.parametrize("library", ["libnftables.so.1", "no such library"])
def test_a_still_listing_is_what_the_program_prints(namespace, monkeypatch, library):
    monkeypatch.setattr(nft_library, "LIBRARY", library)
    nft.load(GOOD)
    assert nft.still(OURS) == namespace.run("nft", "--stateless", "list", "table", "inet", "twinwall")
    assert "sid 1" in nft.still(OURS)
    assert "packets" not in nft.still(OURS)
    with pytest.raises(EnforcementError, match=r"list table bridge twinwall: .*No such file or directory"):
        nft.still(Table("bridge", "twinwall"))


@pytest.mark.kernel
def test_only_our_tables_are_removed(namespace):
    nft.load(GOOD + "table inet theirs {}\ntable netdev twinwall_0 {}\n")
    nft.remove()
    assert nft.present() == ()
    assert "table inet theirs" in namespace.run("nft", "list", "tables")
    nft.remove()


def test_other_tables_are_not_even_looked_at():
    with pytest.raises(AssertionError):
        nft.listing(Table("inet", "theirs"))
    with pytest.raises(AssertionError):
        nft.remove([Table("inet", "theirs")])


@pytest.mark.kernel
def test_the_version_is_known(namespace):
    assert nft.version() >= nft.OLDEST


def test_a_missing_program_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnforcementError, match=r"nft is not installed\n    hint: install nftables 1.0"):
        nft.version()


def test_an_error_names_the_rule_nearest_to_its_place():
    script = 'first\nelements = { 1 comment "sid 1" : 1, 2 comment "sid 2" : 2 }\n'
    error = refusal("load", "/dev/stdin:2:38-40: Error: Could not process rule: File exists\n", script)
    assert error.cause == "Could not process rule: File exists (sid 2, line 2 of the ruleset)"


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("netlink: Error: cache initialization failed: Operation not permitted", "run as root"),
        ("/dev/stdin:1:1-5: Error: Could not process rule: No such file or directory", "lacks what this line asks for"),
        ("", "report it"),
    ],
)
def test_what_to_do_about_it(message, remedy):
    assert remedy in refusal("load", message, "x").remedy


def test_a_program_that_was_killed_and_said_nothing_has_failed(monkeypatch, tmp_path):
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(EnforcementError, match="status -9"):
        nft.load("table inet twinwall\n")
