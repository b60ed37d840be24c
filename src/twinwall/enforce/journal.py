"""Who changed the policy, when, to what, and what came of it: one JSON object a line, only ever added to."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import orjson

from twinwall.enforce.disk import append_line, read_whole

NO_LOGIN = 0xFFFFFFFF  # what the kernel calls the login of a process that no login started


def printable(text: str) -> str:
    """What others have named, as a part of one line: no name makes a line of its own, or talks to the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class Outcome(StrEnum):
    """How an entry ends."""

    DONE = "done"
    ON_TRIAL = "on trial"  # in force until its deadline, unless confirmed
    REFUSED = "refused"  # nothing was changed
    FAILED = "failed"


@dataclass(frozen=True)
class Author:
    """Who did it.  `login` is who logged in, also behind sudo; `client` the SSH client's address."""

    uid: int = 0
    user: str = ""
    login: str = ""
    client: str = ""

    def __str__(self) -> str:
        name = self.user if self.login in ("", self.user) else f"{self.login} as {self.user}"
        return f"{name} from {self.client}" if self.client else name


@dataclass(frozen=True)
class Entry:
    """One line.  `policy` and `before` are digests, empty for no policy; `rules` counts what was added, removed, changed."""

    time: str
    action: str
    outcome: Outcome
    author: Author
    policy: str = ""
    before: str = ""
    name: str = ""  # what people call the policy
    rules: dict[str, int] = field(default_factory=dict)
    detail: str = ""


class Journal:
    """The journal of one state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, entry: Entry) -> None:
        """Add an entry.  Raises `EnforcementError`."""
        append_line(self.path, orjson.dumps(asdict(entry)))

    def entries(self) -> Iterator[Entry]:
        """All entries, the oldest first; a line that a power cut left incomplete is passed over."""
        for line in (read_whole(self.path) or b"").splitlines():
            entry = _decode(line)
            if entry is not None:
                yield entry


def _decode(line: bytes) -> Entry | None:
    try:
        record = orjson.loads(line)
        author = Author(**record.pop("author"))
        return Entry(author=author, outcome=Outcome(record.pop("outcome")), **record)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def author(client: str = "") -> Author:
    """Who runs this process."""
    uid = os.getuid()
    return Author(uid, _name(uid), _login(), client)


def _login() -> str:
    """Who logged in, as the kernel remembers it; else whom sudo says it works for."""
    try:
        number = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        number = NO_LOGIN
    return _name(number) if number != NO_LOGIN else printable(os.environ.get("SUDO_USER", ""))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def now() -> str:
    """The time as the journal writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
