"""The wait for packets that are at a hook."""

from __future__ import annotations

import platform

from twinwall.live.grace import wait_for_packets


def test_a_machine_whose_call_is_not_known_says_so(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert wait_for_packets() is False


def test_the_kernel_answers_one_way_or_the_other():
    assert wait_for_packets() in (True, False)
