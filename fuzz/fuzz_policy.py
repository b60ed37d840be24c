"""Fuzz the reader of policy files with atheris: `python fuzz/fuzz_policy.py [corpus] [-max_total_time=60]`.

Whatever the text, the answer is a policy without diagnostics, or diagnostics without a policy.
"""

from __future__ import annotations

import sys

from twinwall.rules.policy_file import read_policy_text


def no_file(name: str) -> str:
    """There are no other files."""
    raise FileNotFoundError(2, "no such file", name)


def one_input(data: bytes) -> None:
    """Read the bytes as a policy file."""
    policy, diagnostics = read_policy_text(data.decode("utf-8", "replace"), "fuzz.yaml", no_file)
    assert (policy is None) is bool(diagnostics)


def main() -> None:
    """Run until stopped."""
    try:
        import atheris  # noqa: PLC0415 - not needed by anything else
    except ImportError:
        print("atheris is not installed: nothing was fuzzed (pip install atheris)")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
