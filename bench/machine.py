"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from bench.peers import first_line

CACHE_VARIABLE = "TWINWALL_CACHE"  # where the compiled packet path is kept
PARTS = ("twinwall", "numpy", "numba", "llvmlite")


def describe() -> str:
    """The machine in one line: processor, cores, memory, kernel."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    name = model[1] if model else platform.machine()
    gigabytes = int(memory[1]) / 1e6 if memory else 0
    return f"{name}, {os.cpu_count()} cores (one used), {gigabytes:.0f} GB, Linux {platform.release()}"


def versions() -> list[str]:
    """The versions of everything that was measured or did the measuring."""
    found = [f"{name} {version(name)}" for name in PARTS]
    found.append(f"Python {platform.python_version()}")
    for words in (("tcpdump", "--version"), ("suricata", "-V")):
        try:
            found.append(first_line(*words).removeprefix("This is "))
        except (OSError, IndexError):
            found.append(f"no {words[0]}")
    return found
