"""twinwall: a network firewall with two engines, replayed over captures and enforced in the kernel.

- `Policy.load`: a policy from a file; `replay`: captures through a policy, decisions as arrays (`twinwall.api`).
- `Verdict`, `Reason`, `CtState`, `Direction`, `StageName`: the words of a decision (`twinwall.path.reason`).
- `PolicyError`, `CaptureError`: what can be wrong with a policy and with a capture.

The names are imported when they are first used: every command imports this package, and `--help` must not wait for NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from twinwall.version import __version__

if TYPE_CHECKING:
    from twinwall.api import Policy, replay
    from twinwall.capture.error import CaptureError
    from twinwall.path.reason import CtState, Direction, Reason, StageName, Verdict
    from twinwall.policy.diagnostic import PolicyError

__all__ = [
    "CaptureError",
    "CtState",
    "Direction",
    "Policy",
    "PolicyError",
    "Reason",
    "StageName",
    "Verdict",
    "__version__",
    "replay",
]

_HOMES = {
    "Policy": "twinwall.api",
    "replay": "twinwall.api",
    "CaptureError": "twinwall.capture.error",
    "PolicyError": "twinwall.policy.diagnostic",
    **dict.fromkeys(("CtState", "Direction", "Reason", "StageName", "Verdict"), "twinwall.path.reason"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'twinwall' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
