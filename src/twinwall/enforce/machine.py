"""What `plan` and `design` ask of this machine: its interfaces, its settings, and what its kernel can do."""

from __future__ import annotations

from collections.abc import Mapping

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.programs import Programs, obstacle, running_modes
from twinwall.live import queue_rule, sysctl
from twinwall.live.error import EnforcementError
from twinwall.live.links import Link, links
from twinwall.live.probe import QUESTIONS, Answer
from twinwall.policy.model import Policy

NATIVE_QUEUE = next(question for name, question, _ in QUESTIONS if name == "nftables queue statement")


class LinuxMachine:
    """The machine, seen from the network namespace of the calling thread.  `programs` are the ones that a change will use."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    def links(self) -> tuple[Link, ...]:
        """All interfaces."""
        return links()

    def setting(self, name: str) -> str | None:
        """A kernel setting."""
        return sysctl.read(name)

    def running(self) -> Mapping[str, str]:
        """Where a program of ours runs."""
        return running_modes()

    def stateless(self, trial: Blueprint) -> str:
        """Why the stateless stage cannot run in XDP; found out by loading it, which changes nothing."""
        why = obstacle(trial.attach)
        if why:
            return why
        try:
            self._programs.load(trial)
        except EnforcementError as error:
            return error.cause
        return ""

    def queue(self, policy: Policy) -> str:
        """How packets get to the inspector."""
        if not any(rule.inspect for rule in policy.stateful.rules):
            return "none"
        if NATIVE_QUEUE().answer is Answer.YES:
            return "native"
        return "target" if queue_rule.target_works() else "none"
