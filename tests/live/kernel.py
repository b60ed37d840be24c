"""Probes: may this process load eBPF programs?  Tests that need it skip with the kernel's reason where it may not."""

import sys

import pytest


def ebpf_or_skip():
    """The module `twinwall.live.bpf`, if this process may create maps and load programs."""
    if sys.platform != "linux":
        pytest.skip("eBPF needs Linux")
    from twinwall.live import bpf

    try:
        with bpf.ArrayMap(8):
            pass
    except OSError as error:
        pytest.skip(f"eBPF needs root: {error}")
    return bpf
