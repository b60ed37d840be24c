"""What a change of the policy does to what is under way: an ssh session, and packets that arrive during the change."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from twinwall.lab.messages import Change, Progress, Reload, Reloaded
from twinwall.lab.places import Site
from twinwall.lab.play import words
from twinwall.lab.policies import attached
from twinwall.lab.servers import Served, serve
from twinwall.lab.shield import shield
from twinwall.live.error import EnforcementError
from twinwall.policy.model import Policy, Rule

PATIENCE = 1.5  # seconds in which a session must answer
RELOADS, PINGS = 10, 400
SHELL = "ssh {shell_options} -b {friend} {user}@{host} cat"
PING = f"ping -q -i 0.005 -c {PINGS} -W 1 {{web}}"


def without(policy: Policy, topic: str) -> Policy:
    """The policy without its rules whose message begins with `topic`."""

    def others(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(rule for rule in rules if not rule.message.startswith(topic))

    return replace(
        policy,
        stateless=replace(policy.stateless, rules=others(policy.stateless.rules)),
        stateful=replace(policy.stateful, rules=others(policy.stateful.rules)),
    )


def change(task: Reload, folder: Path, answer: Callable[[object], None]) -> Reloaded:
    """Change the policy under a session: other rules, many times under pings; then ssh is forbidden, and allowed again."""
    policy = attached(task.policy)
    assert policy.attach is not None
    site = Site(policy.attach.inside[0], policy.attach.outside[0])
    served = serve(site, folder, privileged=task.privileged)
    if "sshd" in served.missing:
        raise EnforcementError("change a policy under a session", served.missing["sshd"], "install openssh-server")
    with shield(policy, folder) as armour, _session(site, served) as session:
        changes = [Change("before any change", _answers(session))]
        answer(Progress(task.name, "changes under pings"))
        pings = site.inside.start(words(PING.split(), served), (folder / "ping.out").open("wb"))
        start = time.perf_counter()
        for turn in range(RELOADS):
            armour.change(policy if turn % 2 else without(policy, "names"))
        seconds = (time.perf_counter() - start) / RELOADS
        pings.wait()
        changes.append(Change(f"after {RELOADS} changes of other rules", _answers(session)))
        armour.change(without(policy, "ssh"))
        changes.append(Change("after a change to a policy without ssh", _answers(session)))
        armour.change(policy)
        changes.append(Change("after the way back", _answers(session)))
    received = re.search(r"(\d+) received", (folder / "ping.out").read_text())
    return Reloaded(changes, PINGS, int(received[1]) if received else 0, seconds)


@contextmanager
def _session(site: Site, served: Served) -> Iterator[subprocess.Popen[bytes]]:
    """A shell session that repeats what it gets."""
    command = site.outside.command(words(SHELL.split(), served))
    session = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=(site.outside.descriptor,)
    )
    try:
        yield session
    finally:
        session.kill()
        session.wait()


def _answers(session: subprocess.Popen[bytes]) -> bool:
    """Whether a line comes back; what came late from before is read away with it."""
    assert session.stdin is not None
    assert session.stdout is not None
    line = f"{time.monotonic_ns()}\n".encode()
    try:
        session.stdin.write(line)
        session.stdin.flush()
    except BrokenPipeError:
        return False
    limit, heard = time.monotonic() + PATIENCE, b""
    while line not in heard and (left := limit - time.monotonic()) > 0:
        if select.select([session.stdout], [], [], left)[0]:
            data = os.read(session.stdout.fileno(), 1 << 16)
            if not data:
                return False
            heard += data
    return line in heard
