"""Who is who in the lab.  Documentation addresses, and the example's office network."""

from __future__ import annotations

from typing import NamedTuple

FIREWALL_INSIDE = ("10.20.0.1/16", "2001:db8:20::1/64")
FIREWALL_OUTSIDE = ("198.51.100.1/24", "2001:db8:100::1/64")
INSIDE = ("10.20.0.10/16", "2001:db8:20::10/64")
OUTSIDE = (
    "198.51.100.7/24", "198.51.100.9/24", "198.51.100.53/24", "198.51.100.54/24", "2001:db8:100::7/64", "203.0.113.66/32",
)  # fmt: skip

INTERNET = "198.51.100.7"  # where the firewall sends what is neither here nor there


class People(NamedTuple):
    """Names for addresses, as scenarios use them."""

    host: str = "10.20.0.10"  # the protected machine; its sshd is for everybody
    web: str = "198.51.100.7"
    web6: str = "2001:db8:100::7"
    friend: str = "198.51.100.9"  # logs in from outside
    names: str = "198.51.100.53"
    nobody: str = "198.51.100.54"  # a machine without a name server
    attacker: str = "203.0.113.66"
    ghost: str = "203.0.113.77"  # a spoofed source: nobody is there to answer


PEOPLE = People()
