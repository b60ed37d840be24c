"""The programs that run beside ours: each is a name, a version, and seconds for one capture; one that is missing says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.generate import WORK
from bench.policies import write_peer_rules
from bench.stopwatch import run

NFSTREAM = "nfstream==6.6.0"
NFSTREAM_SCRIPT = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    flows = sum(1 for _ in NFStreamer(source=sys.argv[1], n_dissections=0, statistical_analysis=False, n_meters=1))
    print(flows)
"""
# The logs of the stock configuration that are on or that the name below turns off, by their place in the file.
SURICATA_LOGS = ["fast", "eve-log", "http-log", "tls-log", "tls-store", "pcap-log", "alert-debug", "stats"]
SURICATA_QUIET = [
    word for place, name in enumerate(SURICATA_LOGS)
    for word in ("--set", f"outputs.{place}.{name}.enabled=no")
]  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """A program to compare with.  `seconds` measures one capture; `rounds` says how often that is affordable."""

    name: str
    version: str
    seconds: Callable[[Path], float]
    once: bool = False


@dataclass(frozen=True)
class Missing:
    """A peer that cannot run here, and why."""

    name: str
    reason: str


def first_line(*words: str) -> str:
    """What a program says about its version."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def tcpdump() -> Peer | Missing:
    """The packet filter of libpcap: one condition, no state, every packet read and matching ones written to nowhere."""
    if not shutil.which("tcpdump"):
        return Missing("tcpdump", "tcpdump is not installed")

    def seconds(capture: Path) -> float:
        return run(["tcpdump", "-Z", "root", "-r", capture, "-w", "/dev/null", "tcp port 443"]).seconds

    return Peer("tcpdump 'tcp port 443'", first_line("tcpdump", "--version"), seconds)


def suricata(empty: Path) -> Peer | Missing:
    """Suricata with the same 1,000 stateful rules, one thread, no output; what it takes for `empty` is its load time."""
    configuration = Path("/etc/suricata/suricata.yaml")
    if not shutil.which("suricata") or not configuration.exists():
        return Missing("Suricata", "suricata is not installed")
    version = first_line("suricata", "-V")
    if "version 7." not in version:
        return Missing("Suricata", f"not version 7: {version}")
    rules = write_peer_rules(WORK / "peer-1000.rules", 1000)
    log = WORK / "suricata"
    log.mkdir(exist_ok=True)

    def whole(capture: Path) -> float:
        words: list[str | Path] = ["suricata", "--runmode", "single", "-k", "none", "-S", rules, "-l", log, "-r", capture]
        return run([*words, "-c", configuration, *SURICATA_QUIET, "--set", "stats.enabled=no"]).seconds

    return Peer(
        "Suricata, 1,000 rules, EVE off", version.removeprefix("This is "), lambda capture: whole(capture) - whole(empty)
    )


def nfstream() -> Peer | Missing:
    """NFStream's flow meter without dissection, in an environment of its own below bench/.work."""
    place = WORK / "nfstream"
    python = place / "bin/python"
    try:
        if not python.exists():
            venv.create(place, with_pip=True)
        words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NFSTREAM]
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as problem:
        return Missing("NFStream", f"{NFSTREAM} cannot be installed ({type(problem).__name__})")
    script = WORK / "nfstream_once.py"
    script.write_text(NFSTREAM_SCRIPT)
    return Peer("NFStream", NFSTREAM, lambda capture: run([python, script, capture]).seconds, once=True)


def peers(empty: Path) -> list[Peer | Missing]:
    """All of them."""
    return [tcpdump(), suricata(empty), nfstream()]


def ours() -> list[str | Path]:
    """How the stopwatch inside one of our replays is started."""
    return [sys.executable, "-m", "bench.replay_once"]
