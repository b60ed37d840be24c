"""nftables, through the `nft` program: one transaction at a time, errors that point at our rules, our own tables read back.

Acts on the network namespace of the calling thread, as the program inherits it.  `TABLES` are the only tables that are ours;
nothing here names, lists or changes another one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

from twinwall.live import nft_library
from twinwall.live.error import EnforcementError

Listing = list[dict[str, Any]]  # what `nft --json` says: one dictionary an object, by its kind

OLDEST = (1, 0, 0)


class Table(NamedTuple):
    """A table's family and name."""

    family: str
    name: str


TABLES = (
    Table("inet", "twinwall"),
    Table("netdev", "twinwall_0"),
    Table("netdev", "twinwall_1"),
    Table("bridge", "twinwall"),
    Table("inet", "twinwall_queue"),
    Table("ip", "twinwall_queue"),
    Table("ip6", "twinwall_queue"),
)

ERROR = re.compile(r"^(?P<file>[^:\n]+):(?P<line>\d+):(?P<first>\d+)-(?P<last>\d+): Error: (?P<text>.*)$", re.MULTILINE)
SID = re.compile(r'comment "(?P<who>[^"]*)"')
VERSION = re.compile(r"v(\d+)\.(\d+)\.?(\d+)?")

REMEDIES = (  # a part of nft's message, and what to do about it; the first that fits counts
    ("Operation not permitted", "run as root, or with CAP_NET_ADMIN"),
    ("Permission denied", "run as root, or with CAP_NET_ADMIN"),
    ("Message too long", "raise net.core.wmem_max, or use fewer rules: the transaction does not fit into a socket buffer"),
    ("No buffer space", "raise net.core.wmem_max, or use fewer rules: the transaction does not fit into a socket buffer"),
    ("Cannot allocate memory", "free memory: the kernel had none for the ruleset"),
    ("No such file or directory", "the kernel lacks what this line asks for: `twinwall status --kernel` lists what it can do"),
    ("Operation not supported", "the kernel lacks what this line asks for: `twinwall status --kernel` lists what it can do"),
    ("Device or resource busy", "another program changes nftables at the same time: try again"),
    ("No such device", "the interface does not exist: create it first"),
)
OTHERWISE = "this is a defect of twinwall or of nftables: please report it with the output of `twinwall render`"


def load(script: str, keep_open: tuple[int, ...] = ()) -> None:
    """Run `script` as one transaction: all of it happens, or nothing.  Raises `EnforcementError`.

    `keep_open`: descriptors that the program holds too, such as a lock's: if this process is killed, the lock is held until
    the transaction has happened or not.
    """
    _run(["-f", "-"], script, "load the ruleset", keep_open)


def check(script: str) -> None:
    """Let nft and the kernel look at `script` without doing it.  Raises `EnforcementError`."""
    _run(["-c", "-f", "-"], script, "check the ruleset")


def version() -> tuple[int, int, int]:
    """The version of the nft program.  Raises `EnforcementError` if there is none."""
    found = VERSION.search(_run(["--version"], "", "ask nft for its version"))
    if found is None:
        raise EnforcementError("ask nft for its version", "the answer is not understood", "install nftables 1.0 or newer")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def present() -> tuple[Table, ...]:
    """Which of our tables exist."""
    # In JSON, nft reads all sets with their elements before it lists as much as a name.
    there = set(_run(["list", "tables"], "", "list the tables").splitlines())
    return tuple(table for table in TABLES if f"table {table.family} {table.name}" in there)


def listing(table: Table) -> Listing:
    """All objects of one of our tables, sets with their elements and counters; empty if there is no such table."""
    assert table in TABLES, "only our own tables are looked at"
    if table not in present():
        return []
    found: Listing = json.loads(_run(["--json", "list", "table", *table], "", f"list table {table.family} {table.name}"))[
        "nftables"
    ]
    return [each for each in found if "metainfo" not in each]


def still(table: Table) -> str:
    """The text of one of our tables without its counters: what changes only if somebody changes it."""
    assert table in TABLES, "only our own tables are looked at"
    command = f"list table {table.family} {table.name}"
    with suppress(OSError):
        said = nft_library.still(command)
        if said is not None:
            return said
    return _run(["--stateless", *command.split()], "", command)


def ask(arguments: list[str], action: str) -> str:
    """What nft prints when it is asked something.  Raises `EnforcementError`."""
    return _run(arguments, "", action)


def remove(tables: Iterable[Table] = TABLES, keep_open: tuple[int, ...] = ()) -> None:
    """Delete those of `tables` that exist, in one transaction."""
    chosen = tuple(tables)
    assert set(chosen) <= set(TABLES), "only our own tables are touched"
    # `add` before `delete`: deleting what does not exist would fail, and looking first would race.
    script = "".join(f"add table {table.family} {table.name}\ndelete table {table.family} {table.name}\n" for table in chosen)
    load(script, keep_open)


def _run(arguments: list[str], script: str, action: str, keep_open: tuple[int, ...] = ()) -> str:
    with _in_memory("script") as given, _in_memory("answer") as said:
        given.write(script.encode())
        given.seek(0)
        try:
            done = subprocess.run(
                ["nft", *arguments],
                stdin=given,
                stdout=said,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
                pass_fds=keep_open,
            )
        except FileNotFoundError:
            raise EnforcementError(action, "the program nft is not installed", "install nftables 1.0 or newer") from None
        said.seek(0)
        answer = said.read().decode()
    if done.returncode != 0:
        # A program that was killed says nothing, and that is a refusal too.
        message = _again_with_room(arguments, script, done.stderr or f"nft ended with status {done.returncode}")
        if message:
            raise refusal(action, message, script)
    return answer


def _in_memory(name: str) -> BinaryIO:
    """A file without a place: a pipe would hand over a large ruleset in thousands of pieces."""
    return os.fdopen(os.memfd_create(name), "w+b")


def _again_with_room(arguments: list[str], script: str, message: str) -> str:
    """Where nft had no room for the transaction, another way to send it; what is wrong then, empty if nothing."""
    if "Message too long" in message and "-f" in arguments:
        with suppress(OSError):
            return nft_library.run(script, dry="-c" in arguments)
    return message


def refusal(action: str, message: str, script: str) -> EnforcementError:
    """What nft says about `script` as an error of ours: with the rule that the line came from."""
    found = ERROR.search(message)
    cause = message.strip().splitlines()[0] if message.strip() else "nft ended without saying why"
    if found is not None:
        cause = f"{found['text']} ({_place(found, script)})"
    remedy = next((remedy for part, remedy in REMEDIES if part in message), OTHERWISE)
    return EnforcementError(action, cause, remedy)


def _place(found: re.Match[str], script: str) -> str:
    """Which rule of the user the error is about: the comment at its place, or behind it on the line, else the line itself."""
    number, first = int(found["line"]), int(found["first"])
    lines = script.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    comments = list(SID.finditer(line))
    behind = [each for each in comments if each.end() >= first]
    if comments:
        return f"{(behind or comments)[0]['who']}, line {number} of the ruleset"
    return f"line {number} of the ruleset: {line.strip()[:120]}"
