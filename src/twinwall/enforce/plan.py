"""What a change would do: in rules, in kernel objects, and what one should know before.  Nothing is changed by looking.

`Plan` is data; `cli.plan_text` prints it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.difference import Difference, difference
from twinwall.enforce.masters import refuse_hidden
from twinwall.enforce.outline import NOTHING, Outline
from twinwall.live.links import Link
from twinwall.policy.model import Attach, Mode

OBJECT = re.compile(r"^\s*(table|chain|map|set|counter)\s+(?:(\w+)\s+)?(\w+)\s*\{", re.MULTILINE)
ELEMENTS = re.compile(r"elements = \{([^}]*)\}")
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
LOOPBACK = "lo"


class Machine(Protocol):
    """What a plan asks of the machine; nothing of it changes anything."""

    def links(self) -> tuple[Link, ...]:
        """All interfaces."""

    def setting(self, name: str) -> str | None:
        """A kernel setting; None if the kernel does not have it."""

    def running(self) -> Mapping[str, str]:
        """Where a program of ours runs now, and how (`native`, `generic`)."""


@dataclass(frozen=True)
class SysctlChange:
    """A kernel setting that changes, and why the policy wants it so.  `before` None: the kernel does not have it."""

    name: str
    before: str | None
    after: str
    why: str


@dataclass(frozen=True)
class InterfaceChange:
    """How the stateless stage runs on an interface: native, generic, nft, xdp (the driver decides), missing, or empty."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Objects:
    """What a ruleset is made of: how many objects of each kind, and the elements in its maps and sets."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    elements: int = 0


@dataclass(frozen=True)
class Plan:
    """The change from `old` to `new`."""

    old: Blueprint | None
    new: Blueprint | None
    difference: Difference
    interfaces: tuple[InterfaceChange, ...]
    sysctls: tuple[SysctlChange, ...]
    warnings: tuple[str, ...]
    damaged: bool = False  # somebody else changed the ruleset that is in force

    @cached_property
    def objects(self) -> Objects:
        """What the new ruleset is made of."""
        return count_objects(self.new.ruleset.text) if self.new else Objects()

    @property
    def changes(self) -> bool:
        """Whether anything would be different: a rule, a setting, the form of a stage, what somebody else changed."""
        if self.old is None or self.new is None:
            return self.old is not self.new
        forms = [(each.force.way, each.force.queue) for each in (self.old, self.new)]
        moved = [each for each in self.interfaces if each.before != each.after]
        return self.damaged or bool(self.difference) or forms[0] != forms[1] or bool(moved) or bool(self.sysctls)


def plan(old: Blueprint | None, before: Outline, new: Blueprint | None, machine: Machine, *, damaged: bool = False) -> Plan:
    """Compare; `before` is the outline of `old`.  Raises `PolicyError` with everything that Linux cannot do.

    Raises `EnforcementError` if the stateful stage would not see an attached interface's packets.
    """
    differing = difference(before, new.outline if new else NOTHING)  # while another processor renders the ruleset
    if new is not None:
        _ = new.ruleset
        refuse_hidden(new.attach, machine.links())
    return Plan(
        old=old,
        new=new,
        difference=differing,
        interfaces=tuple(_interfaces(old, before, new, machine)),
        sysctls=tuple(_sysctls(new, machine)),
        warnings=tuple(_warnings(new, machine)) if new else (),
        damaged=damaged,
    )


def count_objects(text: str) -> Objects:
    """What a ruleset's text is made of."""
    kinds = Counter(match[1] for match in OBJECT.finditer(text))
    elements = sum(match[1].count(",") + 1 for match in ELEMENTS.finditer(text) if match[1].strip())
    return Objects(dict(kinds), elements)


def _interfaces(old: Blueprint | None, outline: Outline, new: Blueprint | None, machine: Machine) -> Iterable[InterfaceChange]:
    running = machine.running()
    there = {each.name for each in machine.links()}
    before = {name: _form(old, name, running) for name in outline.interfaces} | dict(running)
    after = {name: _form(new, name, running) for name in (new.attach.interfaces if new else ())}
    for name in dict.fromkeys((*before, *after)):
        missing = "missing" if name not in there else ""
        yield InterfaceChange(name, before.get(name, ""), after.get(name, "") and (missing or after[name]))


def _form(blueprint: Blueprint | None, name: str, running: Mapping[str, str]) -> str:
    """How the stage runs on an interface under a blueprint; where it has not run yet, the driver decides."""
    if blueprint is None:
        return ""
    return "nft" if blueprint.force.way == "nft" else running.get(name, "xdp")


def _sysctls(new: Blueprint | None, machine: Machine) -> Iterable[SysctlChange]:
    for setting in new.settings if new else ():
        before = machine.setting(setting.name)
        if before != setting.value and (before is not None or setting.required):
            yield SysctlChange(setting.name, before, setting.value, setting.why)


def _warnings(new: Blueprint, machine: Machine) -> Iterable[str]:
    attach = new.attach
    there = {each.name: each for each in machine.links()}
    for name in attach.interfaces:
        if name not in there:
            yield f"{name} does not exist: nothing passes it until it does and `twinwall guard` has attached it"
        elif not there[name].up:
            yield f"{name} is down"
    if attach.mode is not Mode.BRIDGE:
        for link in there.values():
            if link.up and link.name not in (LOOPBACK, *attach.interfaces):
                yield f"{link.name} is up and not attached: {_meaning(attach)}"
    if attach.mode is Mode.GATEWAY:
        off = [f"IPv{version}" for version, name in FORWARDING.items() if machine.setting(name) == "0"]
        if off:
            names = ", ".join(name for name in FORWARDING.values() if machine.setting(name) == "0")
            yield f"the kernel does not forward {' and '.join(off)}: a gateway needs it (sysctl {names})"
    if new.force.way == "nft" and new.force.why:
        yield f"the stateless stage runs as an nftables chain, because XDP does not: {new.force.why}"


def _meaning(attach: Attach) -> str:
    if attach.mode is Mode.HOST:
        return "the policy does not see what comes and goes through it"
    return (
        "packets from it to an attached interface are dropped, and those between interfaces that are not attached pass unseen"
    )
