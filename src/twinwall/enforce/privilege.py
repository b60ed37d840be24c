"""What a change of the policy needs of the process, asked before anything else is."""

from __future__ import annotations

from pathlib import Path

from twinwall.live.error import EnforcementError

NET_ADMIN = 12  # <linux/capability.h>


def require_privileges(status: Path = Path("/proc/self/status"), *, action: str = "change the policy") -> None:
    """Raise `EnforcementError` if this process may not change the network; `action` begins its sentence."""
    try:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    except OSError as error:
        remedy = "run it on Linux, with /proc mounted"
        raise EnforcementError(action, f"{status}: {error.strerror}", remedy) from error
    if not int(lines.get("CapEff", "0"), 16) >> NET_ADMIN & 1:
        raise EnforcementError(action, "this process may not administer the network", "run it as root (sudo)")
