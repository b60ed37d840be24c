"""Kernel settings under /proc/sys, by their dotted names, of the calling thread's network namespace."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path

from twinwall.live.error import EnforcementError

ROOT = Path("/proc/sys")
REMEDIES = {
    errno.ENOENT: "the kernel does not have it: load its module (modprobe nf_conntrack br_netfilter)",
    errno.EACCES: "run as root; in a container, /proc/sys must be writable",
    errno.EPERM: "run as root; this setting may belong to the machine's first network namespace alone",
    errno.EROFS: "/proc/sys is mounted read-only here: apply the policy on the host",
    errno.EINVAL: "the kernel does not take this value",
}


def read(name: str) -> str | None:
    """The value of a setting; None if the kernel does not have it."""
    try:
        return _path(name).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refusal("read", name, error) from error


def write(name: str, value: str) -> None:
    """Set one setting.  Raises `EnforcementError`."""
    try:
        _path(name).write_text(f"{value}\n", encoding="ascii")
    except OSError as error:
        raise _refusal("set", f"{name} to {value}", error) from error


def write_all(wanted: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Set all of `wanted`, or none; the old values of those that were changed, for `restore`.  Raises `EnforcementError`."""
    old: dict[str, str] = {}
    try:
        for name, value in wanted:
            before = read(name)
            if before != value:
                write(name, value)
                old.setdefault(name, before or "")
    except EnforcementError:
        restore(old)
        raise
    return old


def restore(old: Mapping[str, str]) -> tuple[EnforcementError, ...]:
    """Put old values back, the last one first; what could not be put back is returned, and does not keep the rest from it."""
    failures: list[EnforcementError] = []
    for name, value in reversed(list(old.items())):
        try:
            write(name, value)
        except EnforcementError as error:
            failures.append(error)
    return tuple(failures)


def _path(name: str) -> Path:
    """The file of a setting.  In an interface's name the dots of a dotted name are written as slashes, as sysctl(8) does."""
    return ROOT / "/".join(part.replace("/", ".") for part in name.split("."))


def _refusal(verb: str, what: str, error: OSError) -> EnforcementError:
    remedy = REMEDIES.get(error.errno or 0, "see the kernel's log (`dmesg`)")
    return EnforcementError(f"{verb} the kernel setting {what}", error.strerror or str(error), remedy)
