"""Probes: may this process load eBPF programs?  Tests that need it skip with the kernel's reason where it may not."""

import sys

import pytest


def ebpf_or_skip():
    """Skip the test unless this process may create maps and load programs."""
    if sys.platform != "linux":
        pytest.skip("eBPF needs Linux")
    from twinwall.live.bpf import BpfError
    from twinwall.live.bpf_maps import ARRAY, Map

    try:
        with Map.create(ARRAY, 8, 1, name="probe"):
            pass
    except BpfError as error:
        pytest.skip(f"eBPF needs root: {error}")
