"""The process that is a world: alone in its network, mount and process namespaces, it is the firewall.

`python -m twinwall.lab.worker` reads a pickled `Task` from standard input and answers with pickled messages on standard output.
When standard input closes, however that comes about, it ends, and the kernel ends and removes everything in its namespaces.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from twinwall.lab.costs import measure
from twinwall.lab.messages import Costs, Failure, Play, Refused, Reload, Task
from twinwall.lab.places import execute, found, search_path
from twinwall.lab.play import play
from twinwall.lab.reload import change
from twinwall.lab.servers import add_account
from twinwall.live.error import EnforcementError
from twinwall.policy.diagnostic import PolicyError

FOLDER = Path("/run/twinwall-lab")
MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run"))


def main() -> int:
    """Do one task."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else writes among the answers
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    threading.Thread(target=_end_with_input, daemon=True).start()

    def answer(message: object) -> None:
        pickle.dump(message, answers)
        answers.flush()

    try:
        settle_in(privileged=task.privileged)
        answer(_do(task, answer))
    except EnforcementError as error:
        answer(Failure(error.action, error.cause, error.remedy))
        return 1
    except PolicyError as error:
        answer(Refused(error.diagnostics))
        return 1
    return 0


def _do(task: Task, answer: Callable[[object], None]) -> object:
    match task:
        case Play():
            return play(task, FOLDER, answer)
        case Reload():
            return change(task, FOLDER, answer)
        case Costs():
            return measure(task, FOLDER, answer)
        case _:
            raise AssertionError(task)


def settle_in(*, privileged: bool) -> None:
    """File systems that show this world instead of the machine's, and a folder that nobody has to remove."""
    os.environ["PATH"] = search_path()  # `live` looks for nft as everybody does
    for kind, where in MOUNTS:
        _mount("-t", kind, kind, where)
    FOLDER.mkdir(mode=0o755)
    _mount("--bind", str(add_account(FOLDER, privileged=privileged)), "/etc/passwd")


def _mount(*words: str) -> None:
    done = execute([found("mount"), *words])
    if done.returncode != 0:
        raise EnforcementError(f"mount {words[-1]}", done.stderr.strip(), "run it as root, or outside a container")


def _end_with_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
