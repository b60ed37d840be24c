"""The process that is a world: alone in its network, mount and process namespaces, it is the firewall.

`python -m twinwall.lab.worker` reads a pickled `Job` from standard input and answers with pickled messages on standard output.
When standard input closes, however that comes about, it ends, and the kernel ends and removes everything in its namespaces.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from twinwall.lab.messages import Failure
from twinwall.lab.places import execute, found
from twinwall.lab.play import play
from twinwall.lab.servers import add_account
from twinwall.live.error import EnforcementError

FOLDER = Path("/run/twinwall-lab")
MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run"))


def main() -> int:
    """Play one job."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else writes among the answers
    job = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()

    def answer(message: object) -> None:
        pickle.dump(message, answers)
        answers.flush()

    try:
        settle_in(privileged=job.privileged)
        answer(play(job, FOLDER, answer))
    except EnforcementError as error:
        answer(Failure(error.action, error.cause, error.remedy))
        return 1
    return 0


def settle_in(*, privileged: bool) -> None:
    """File systems that show this world instead of the machine's, and a folder that nobody has to remove."""
    for kind, where in MOUNTS:
        _mount("-t", kind, kind, where)
    FOLDER.mkdir(mode=0o755)
    _mount("--bind", str(add_account(FOLDER, privileged=privileged)), "/etc/passwd")


def _mount(*words: str) -> None:
    done = execute([found("mount"), *words])
    if done.returncode != 0:
        raise EnforcementError(f"mount {words[-1]}", done.stderr.strip(), "run it as root, or outside a container")


def _end_with(stream: BinaryIO) -> None:
    while stream.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
