"""Attached interfaces whose packets the stateful stage would not know again.

What comes in through a port of a bridge, a bond or a VRF goes on as a packet of the bridge, the bond or the VRF: the stateless
stage would judge it at the port, and the stateful stage, which goes by the name of the incoming interface, would let it by.
In bridge mode the ports of a bridge are what is attached, and a table of the bridge's own knows them (`render.bridge`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twinwall.live.error import EnforcementError
from twinwall.live.links import Link
from twinwall.policy.model import Attach, Mode

WITHOUT_HOOKS = ("vrf",)  # nothing comes in through it that the stateless stage could see


def hidden(attach: Attach, links: Iterable[Link]) -> Mapping[str, Link]:
    """The attached interfaces whose packets go on as another's, each with that other one."""
    there = tuple(links)
    by_index, by_name = {each.index: each for each in there}, {each.name: each for each in there}
    masters = {name: by_index.get(by_name[name].master) for name in attach.interfaces if name in by_name}
    return {name: master for name, master in masters.items() if master is not None and not _expected(attach, master)}


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
