"""A set that says whether the table's other sets can be asked yet.

When a transaction has replaced one table by another, the kernel runs the new rules at once but publishes the contents of sets
with intervals one after the other, a little later: up to a millisecond with 10,000 elements, in which a lookup finds nothing.
So the last element of every script goes into `ready`, a set of the same kind; a packet that does not find itself in there is
dropped before any rule is asked.  `tests/render/test_ready.py` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass

SET = "ready"
COUNTER = "drop_not_ready"


@dataclass(frozen=True, slots=True)
class Ready:
    """The set of one table family; `key` exists in every packet.  Two fields, because that is what makes the set late."""

    kind: str
    key: str
    everything: str

    @property
    def declared(self) -> str:
        """The set, still empty."""
        return f"\tset {SET} {{\n\t\ttype {self.kind}\n\t\tflags interval\n\t}}\n"

    @property
    def missing(self) -> str:
        """The test that holds until the table's sets can be asked."""
        return f"{self.key} != @{SET}"

    @property
    def guard(self) -> str:
        """The rule in front of everything that asks sets."""
        return f"{self.missing} counter name {COUNTER} drop"

    def filled(self, table: str) -> str:
        """The last command of the script that makes `table`."""
        return f"add element {table} {SET} {{ {self.everything} }}\n"


INET = Ready("nf_proto . mark", "meta nfproto . meta mark", "0-255 . 0-0xffffffff")
NETDEV = Ready("ether_type . mark", "meta protocol . meta mark", "0-65535 . 0-0xffffffff")
