"""Transactions larger than the program can send: it may not enlarge its socket in a user namespace."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

USER_NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]
PROGRAM = """
import sys
from twinwall.live import nft
from twinwall.live.error import EnforcementError
from twinwall.live.nft import Table
head = "add table inet twinwall\\nadd chain inet twinwall c\\n"
large = "".join(f"add rule inet twinwall c ip saddr 10.0.{n >> 8}.{n & 255} counter accept\\n" for n in range(3000))
if sys.argv[1] == "load":
    nft.check(head + large)
    print(len(nft.present()))
    nft.load(head + large)
    print(sum("rule" in each for each in nft.listing(Table("inet", "twinwall"))))
else:
    try:
        nft.load(head + large + "add rule inet twinwall nowhere accept\\n")
    except EnforcementError as error:
        print(error.cause)
    print(len(nft.present()))
"""


def in_user_namespace(what: str) -> list[str]:
    probe = subprocess.run([*USER_NAMESPACE, "nft", "list", "tables"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no nftables in a user namespace here: {probe.stderr.strip()}")
    done = subprocess.run(
        [*USER_NAMESPACE, sys.executable, "-c", PROGRAM, what],
        capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_large_ruleset_is_looked_at_and_loaded():
    assert in_user_namespace("load") == ["0", "3000"]


def test_what_is_wrong_with_it_is_said_and_nothing_is_done():
    said, tables = in_user_namespace("fail")
    assert "No such file or directory" in said
    assert "line 3003 of the ruleset" in said
    assert tables == "0"
