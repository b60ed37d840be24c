"""A rule in the making: what the keywords of one line have said so far."""

from __future__ import annotations

from collections.abc import Iterator

from twinwall.policy.model import Action, Condition, FlowbitOption, FlowOption
from twinwall.policy.sets import AddressSet


class Names:
    """Names that rules use and that the engine numbers, in order of appearance, from `first`."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The name's number; a new name gets the next one."""
        return self._numbers.setdefault(name, len(self._numbers) + self.first)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class Draft:
    """Filled by `Keyword.read`; `parser` makes a `Rule` of it."""

    __slots__ = (
        "action",
        "alert",
        "category",
        "classtype",
        "conditions",
        "family",
        "flow",
        "flowbits",
        "gid",
        "inspect",
        "interfaces",
        "message",
        "metadata",
        "noalert",
        "packet",
        "priority",
        "protocol_fixed",
        "protocols",
        "references",
        "rev",
        "seen",
        "sid",
        "stateful",
        "written_priority",
    )

    def __init__(self, action: Action, protocols: frozenset[int] | None, interfaces: Names, *, stateful: bool) -> None:
        self.action = action
        self.protocols = protocols
        self.protocol_fixed = protocols is not None  # the header names a protocol, so `ip_proto` has nothing to say
        self.interfaces = interfaces
        self.stateful = stateful  # the stage
        self.family: AddressSet | None = None  # addresses of the only IP version that has the fields asked for
        self.conditions: list[Condition] = []
        self.flow: FlowOption | None = None
        self.flowbits: list[FlowbitOption] = []
        self.inspect = False
        self.packet = False  # a keyword looks at each packet: the rule's verdict holds for that packet
        self.seen: list[str] = []
        self.sid = 0
        self.gid = 1
        self.rev = 0
        self.message = ""
        self.classtype = ""
        self.category = ""
        self.priority = 3
        self.written_priority = False
        self.references: list[tuple[str, str]] = []
        self.metadata: list[tuple[str, str]] = []
        self.noalert = False
        self.alert = False
