"""A host with a policy in force, for the commands that change it: what is typed, and what the kernel holds afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

from tests.cli.running import twinwall
from tests.enforce.watched import POLICY, watched
from twinwall.enforce.lock import is_held, read_holder
from twinwall.enforce.state import State

NFT = ("--stateless", "nft")
OTHER = POLICY.replace("rules: |\n    pass udp", "rules: |\n    pass tcp any any <> any 22 (sid:90;)\n    pass udp")


@contextlib.contextmanager
def standing(folder, monkeypatch, *options):
    """The neighbour's namespace; `POLICY` is in force on the host.  What watches a trial ends with the context."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    with watched(folder, monkeypatch, *NFT, *options) as there:
        try:
            yield there
        finally:
            watch = State().watch_lock
            if is_held(watch):
                os.kill(read_holder(watch).pid, signal.SIGKILL)


def apply_other(folder, *options):
    """Apply `OTHER`, which lets SSH in besides."""
    path = folder / "other.yaml"
    path.write_text(OTHER)
    assert twinwall("apply", path, "--yes", *NFT, *options) == 0


def held():
    """The name of the policy that the kernel holds; empty if it has no table of twinwall."""
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    if "twinwall" not in tables:
        return ""
    ruleset = subprocess.run(["nft", "list", "table", "inet", "twinwall"], capture_output=True, text=True, check=True).stdout
    (force,) = [
        each for each in (State().current(),) if f"twinwall {each.chosen.digest} generation {each.generation}" in ruleset
    ]
    return os.path.basename(force.chosen.name)


def outcomes():
    return [(entry.action, entry.outcome.value) for entry in State().journal.entries()]


@contextlib.contextmanager
def typing(monkeypatch, text):
    """A terminal, on which somebody has typed `text`."""
    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, text.encode())
        with open(terminal) as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", stream)
            yield
    finally:
        os.close(keyboard)
