"""What one command leaves for the next: which policy is in force, which is confirmed, which is on trial.

The kernel is asked first in everything (`marker`); the state says what it cannot: where a policy comes from, and what to go
back to.  Every file is complete or not there; a file that says nonsense is an error with a remedy, never a guess.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import orjson

from twinwall.enforce.disk import read_whole, remove, remove_unfinished, write_whole
from twinwall.enforce.journal import Author, Journal
from twinwall.enforce.outline import Outline
from twinwall.enforce.source import Source
from twinwall.live.error import EnforcementError
from twinwall.policy.model import Mode

DEFAULT_FOLDER = "/var/lib/twinwall"
FOLDER_VARIABLE = "TWINWALL_STATE"
TAKEN_BACK = 0.0  # the deadline of a trial that somebody ends before its time: earlier than any
KEPT_POLICIES = 16  # how many policies of the past stay on the disk

Record = TypeVar("Record")


class Preference(StrEnum):
    """Which form of the stateless stage somebody asked for."""

    AUTO = "auto"
    XDP = "xdp"
    NFT = "nft"


@dataclass(frozen=True)
class Chosen:
    """A policy and how it is to be enforced: what `boot` needs."""

    digest: str
    name: str
    stateless: Preference = Preference.AUTO
    mode: Mode = Mode.GATEWAY  # known without reading the policy, which may be impossible when it is needed


@dataclass(frozen=True)
class InForce:
    """A policy as the kernel has it.  `kept`: earlier generations whose passed connections live on."""

    chosen: Chosen
    generation: int
    kept: tuple[int, ...] = ()
    way: str = "xdp"  # how the stateless stage runs: `xdp` or `nft`
    why: str = ""  # why not XDP, where nobody asked for nft
    queue: str = "none"  # how packets get to the inspector: `native`, `target` or `none`
    modes: Mapping[str, str] = field(default_factory=dict)  # interface → native or generic
    homes: Mapping[str, str] = field(default_factory=dict)  # bridge mode: interface → the bridge that it belongs to
    labels: tuple[str, ...] = ()  # flow bits by the number of their connection label; those of earlier policies among them
    since: str = ""
    version: int = 0  # nftables' count of transactions when the ruleset had been loaded
    fingerprint: str = ""  # of the ruleset as the kernel lists it: tells whether somebody else changed it


@dataclass(frozen=True)
class Confirmed:
    """What boots.  `policy` None: nothing (after `stop`).  `previous` is what `rollback` goes to."""

    policy: Chosen | None
    previous: Chosen | None = None
    since: str = ""
    trial: str = ""  # the change that was confirmed


@dataclass(frozen=True)
class Pending:
    """A change that has begun and is not closed: what was in force, what is to be, and until when it is on trial."""

    id: str
    action: str
    old: InForce | None
    new: InForce | None
    author: Author
    boot: str  # the kernel's boot this was, since deadlines count from it
    deadline: float | None = None  # seconds on CLOCK_BOOTTIME; None: confirmed with the change itself
    until: str = ""  # the same for people
    rules: dict[str, int] = field(default_factory=dict)  # added, removed, changed
    namespace: str = ""  # the network namespace that it is made in

    def expired(self, now: float) -> bool:
        """Whether its time is over."""
        return self.deadline is not None and now >= self.deadline

    def taken_back(self) -> Pending:
        """The same, its time over because somebody says so."""
        return replace(self, deadline=TAKEN_BACK)


class State:
    """The state folder."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder or os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)
        self.journal = Journal(self.folder / "journal.jsonl")
        self.lock = self.folder / "lock"
        self.watch_lock = self.folder / "watchdog.lock"

    # What is written whole.
    def current(self) -> InForce | None:
        """What was last put in force."""
        return self._read("current.json", _in_force)

    def set_current(self, value: InForce | None) -> None:
        self._write("current.json", value)

    def confirmed(self) -> Confirmed | None:
        """What boots; None if nothing was ever confirmed."""
        return self._read("confirmed.json", _confirmed)

    def set_confirmed(self, value: Confirmed) -> None:
        self._write("confirmed.json", value)

    def pending(self) -> Pending | None:
        """The change that is not closed."""
        return self._read("pending.json", _pending)

    def set_pending(self, value: Pending | None) -> None:
        self._write("pending.json", value)

    def originals(self) -> dict[str, str]:
        """Sysctls as they were before twinwall first changed them."""
        return self._read("sysctls.json", lambda record: {str(name): str(value) for name, value in record.items()}) or {}

    def set_originals(self, values: Mapping[str, str]) -> None:
        path = self.folder / "sysctls.json"
        if values:
            write_whole(path, orjson.dumps(dict(values), option=orjson.OPT_INDENT_2))
        else:
            remove(path)

    # Policies.
    def policy_folder(self, digest: str) -> Path:
        """Where a policy lies."""
        return self.folder / "policies" / digest

    def keep_source(self, source: Source) -> None:
        """Store a policy's texts under its digest."""
        path = self.policy_folder(source.digest) / "source.json"
        if read_whole(path) != (data := source.encode()):
            write_whole(path, data)

    def source(self, digest: str) -> Source:
        """A stored policy.  Raises `EnforcementError` if it is not there or damaged."""
        path = self.policy_folder(digest) / "source.json"
        data = read_whole(path)
        try:
            source = Source.decode(data or b"")
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(path, "is missing" if data is None else str(error)) from error
        if source.digest != digest:
            raise _damaged(path, "is not the policy of that name")
        return source

    def keep_outline(self, digest: str, outline: Outline) -> None:
        """Store what a plan compares."""
        write_whole(self.policy_folder(digest) / "outline.json", outline.encode())

    def outline(self, digest: str) -> Outline:
        """A stored policy in outline; made again if it is not there or damaged."""
        data = read_whole(self.policy_folder(digest) / "outline.json")
        try:
            return Outline.decode(data or b"")
        except (ValueError, KeyError, TypeError):
            return Outline.of(self.source(digest).policy())

    def keep_ruleset(self, digest: str, text: str) -> None:
        """Store the ruleset as it was loaded, for people."""
        write_whole(self.policy_folder(digest) / "ruleset.nft", text.encode())

    def forget_policies(self) -> None:
        """Remove the oldest policies that nothing refers to."""
        used = self._used()
        folders = sorted((self.folder / "policies").glob("*"), key=lambda each: each.stat().st_mtime, reverse=True)
        for folder in [each for each in folders if each.name not in used][KEPT_POLICIES:]:
            for file in folder.iterdir():
                remove(file)
            folder.rmdir()

    def remove_unfinished(self) -> None:
        """Remove what killed commands were writing.  The lock is held: nobody writes now."""
        for folder in (self.folder, *(self.folder / "policies").glob("*")):
            remove_unfinished(folder)

    def _used(self) -> set[str]:
        confirmed, pending, current = self.confirmed(), self.pending(), self.current()
        chosen = [confirmed.policy, confirmed.previous] if confirmed else []
        forces = [current, *([pending.old, pending.new] if pending else [])]
        return {each.digest for each in (*chosen, *(force.chosen for force in forces if force)) if each}

    def _read(self, name: str, decode: Callable[[dict[str, Any]], Record]) -> Record | None:
        path = self.folder / name
        data = read_whole(path)
        if data is None:
            return None
        try:
            return decode(orjson.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, str(error)) from error

    def _write(self, name: str, value: InForce | Confirmed | Pending | None) -> None:
        path = self.folder / name
        if value is None:
            remove(path)
        else:
            write_whole(path, orjson.dumps(asdict(value), option=orjson.OPT_INDENT_2))


def _damaged(path: Path, cause: str) -> EnforcementError:
    remedy = "apply the policy file again; if that is refused too, remove the file: what the kernel enforces stays as it is"
    return EnforcementError(f"read {path}", f"the file is damaged: {cause}", remedy)


def _chosen(record: dict[str, Any] | None) -> Chosen | None:
    if record is None:
        return None
    return Chosen(str(record["digest"]), str(record["name"]), Preference(record["stateless"]), Mode(record["mode"]))


def _in_force(record: dict[str, Any]) -> InForce:
    chosen = _chosen(record["chosen"])
    if chosen is None:
        raise ValueError("no policy")
    rest = _known(InForce, record, "chosen", "kept", "labels")
    return InForce(chosen=chosen, kept=tuple(record["kept"]), labels=tuple(record.get("labels", ())), **rest)


def _confirmed(record: dict[str, Any]) -> Confirmed:
    rest = _known(Confirmed, record, "policy", "previous")
    return Confirmed(policy=_chosen(record["policy"]), previous=_chosen(record["previous"]), **rest)


def _pending(record: dict[str, Any]) -> Pending:
    old, new = (None if record[name] is None else _in_force(record[name]) for name in ("old", "new"))
    rest = _known(Pending, record, "old", "new", "author")
    return Pending(old=old, new=new, author=Author(**record["author"]), **rest)


def _known(kind: type[Any], record: dict[str, Any], *apart: str) -> dict[str, Any]:
    """The record's plain fields; what a newer version added is passed over."""
    names = {each.name for each in fields(kind)} - set(apart)
    return {name: value for name, value in record.items() if name in names}


def boot_id() -> str:
    """The name of this boot of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def namespace() -> str:
    """The calling thread's network namespace: what everything that is done to the kernel is done to."""
    return str(Path("/proc/thread-self/ns/net").readlink())


def uptime() -> float:
    """Seconds since boot, sleep included: the clock of deadlines, which nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
