"""Attached interfaces whose packets the stateful stage would not know again.

What comes in through a port of a bridge, a bond or a VRF goes on as a packet of the bridge, the bond or the VRF: the stateless
stage would judge it at the port, and the stateful stage, which goes by the name of the incoming interface, would let it by; the
ruleset knows the stamp, and drops it instead (`render.hooks`).  What is only bridged does not come to the ruleset.
In bridge mode the ports of a bridge are what is attached, and a table of the bridge's own knows them (`render.bridge`); there
it is the other way round: an interface that leaves its bridge becomes one of the machine's own, and nothing is forwarded.

A change that would have this is refused; `guard` and `status` look whether somebody has made it so afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from twinwall.live.error import EnforcementError
from twinwall.live.links import Link, set_master
from twinwall.policy.model import Attach, Mode

WITHOUT_HOOKS = ("vrf",)  # nothing comes in through it that the stateless stage could see
STANDING = ("vlan", "macvlan", "macvtap", "ipvlan", "ipvtap")  # on another interface, of which they get packets


@dataclass(frozen=True, slots=True)
class Moved:
    """An attached interface at a place where the stateful stage does not see it.  `home`: its bridge before; empty: none."""

    link: Link
    master: Link | None
    home: str

    @property
    def text(self) -> str:
        """What is wrong, and what follows."""
        name = self.link.name
        if self.master is not None:
            fate = "what is bridged there passes by the stateful stage, all else is dropped"
            return f"{name} belongs to {self.master.name} now: {fate}"
        return f"{name} does not belong to {self.home} any more: nothing is bridged through it, and nothing forwarded"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.master is not None:
            return remedy(self.link.name, self.master)
        return f"put it back (`ip link set {self.link.name} master {self.home}`)"


def hidden(attach: Attach, links: Iterable[Link]) -> Mapping[str, Link]:
    """The attached interfaces whose packets go on as another's, each with that other one."""
    return {name: master for name, master in _masters(attach, links).items() if not _expected(attach, master)}


def homes(attach: Attach, links: Iterable[Link]) -> dict[str, str]:
    """In bridge mode, the bridge of each attached interface that is in one."""
    return {name: master.name for name, master in _masters(attach, links).items() if _expected(attach, master)}


def moved(attach: Attach, links: Iterable[Link], before: Mapping[str, str]) -> Iterator[Moved]:
    """The attached interfaces that the stateful stage does not see where they are; `before`: their `homes`, as last known."""
    there = tuple(links)
    masters = _masters(attach, there)
    for link in there:
        if link.name not in attach.interfaces:
            continue
        master, home = masters.get(link.name), before.get(link.name, "")
        if not _expected(attach, master) if master is not None else bool(home):
            yield Moved(link, master, home)


def beside(attach: Attach, links: Iterable[Link]) -> Iterator[tuple[Link, Link]]:
    """Interfaces that stand on an attached one and are not attached: a VLAN that somebody has added, with what it stands on.

    What comes in through them came through the attached one, where the stateless stage saw it; the stateful stage does not.
    """
    there = tuple(links)
    attached = {each.index: each for each in there if each.name in attach.interfaces}
    for each in there:
        if each.kind in STANDING and each.lower in attached and each.name not in attach.interfaces:
            yield each, attached[each.lower]


def bring_back(moved: Moved, links: Iterable[Link]) -> None:
    """Put an interface where it was.  Raises `EnforcementError`."""
    bridge = next((each for each in links if each.name == moved.home), None)
    if moved.home and bridge is None:
        cause = f"there is no {moved.home} any more"
        remedy = f"make the bridge {moved.home} again, or apply a policy that does not need it"
        raise EnforcementError(f"put {moved.link.name} back into {moved.home}", cause, remedy)
    set_master(moved.link, bridge)


def _masters(attach: Attach, links: Iterable[Link]) -> dict[str, Link]:
    """What the attached interfaces belong to."""
    there = tuple(links)
    by_index = {each.index: each for each in there}
    masters = {each.name: by_index.get(each.master) for each in there if each.name in attach.interfaces}
    return {name: master for name, master in masters.items() if master is not None}


def _expected(attach: Attach, master: Link) -> bool:
    return attach.mode is Mode.BRIDGE and master.kind == "bridge"


def remedy(name: str, master: Link) -> str:
    """What to do about a port."""
    if master.kind in WITHOUT_HOOKS:
        return f"take {name} out of {master.name} (`ip link set {name} nomaster`)"
    return f"attach {master.name} in its place, or take {name} out of it (`ip link set {name} nomaster`)"


def refuse_hidden(attach: Attach, links: Iterable[Link]) -> None:
    """Raise `EnforcementError` if the stateful stage would not see what comes in through an attached interface."""
    for name, master in hidden(attach, links).items():
        cause = f"it belongs to {master.name}, and what comes in through it would pass the stateful stage by"
        raise EnforcementError(f"attach to {name}", cause, remedy(name, master))
