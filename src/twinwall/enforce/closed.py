"""What the machine's start puts in force when the confirmed policy cannot be: nothing passes, rather than everything.

On a gateway or a bridge nothing is forwarded.  On a host only SSH, what belongs to connections, and what IP itself needs come
in: somebody has to be able to come and look.  The table says that it is not a policy, so the next `apply` takes its place.
"""

from __future__ import annotations

from twinwall.policy.model import Mode

BEGIN = """table inet twinwall
delete table inet twinwall
table inet twinwall {
\tcomment "twinwall closed: the confirmed policy could not be loaded"
"""
FORWARD = """\tchain forward {
\t\ttype filter hook forward priority 0; policy drop;
\t\tcounter comment "closed"
\t}
"""
BRIDGE = """table bridge twinwall
delete table bridge twinwall
table bridge twinwall {
\tchain forward {
\t\ttype filter hook forward priority 0; policy drop;
\t\tcounter comment "closed"
\t}
}
"""
INPUT = """\tchain input {
\t\ttype filter hook input priority 0; policy drop;
\t\tiifname "lo" accept
\t\tct state established,related accept
\t\ttcp dport 22 accept
\t\ticmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
\t\ticmpv6 type != { router-renumbering } accept
\t\tudp dport { 68, 546 } accept
\t\tcounter comment "closed"
\t}
"""


def closed_ruleset(mode: Mode) -> str:
    """The ruleset, one transaction."""
    if mode is Mode.HOST:
        return f"{BEGIN}{INPUT}}}\n"
    return f"{BEGIN}{FORWARD}}}\n{BRIDGE if mode is Mode.BRIDGE else ''}"
