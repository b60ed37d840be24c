"""Durations, questions, and signals while the kernel is being changed."""

import os
import signal

import click
import pytest

from twinwall.cli.change_options import UNINTERRUPTED, Duration, ask, uninterrupted


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("5m", 300), ("1h", 3600), ("90", 90), (" 24 h ", 86400)])
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0s", "25h", "-5s", "soon", "1.5m", "60 seconds"])
def test_what_is_no_duration(text):
    with pytest.raises(click.BadParameter, match="60s"):
        Duration().convert(text, None, None)


def test_yes_asks_nobody_and_without_it_somebody_must_be_there(monkeypatch):
    assert ask("Apply it?", yes=True)
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115 - closed with the process
    with pytest.raises(click.UsageError, match="--yes"):
        ask("Apply it?", yes=False)


def test_signals_wait_while_the_kernel_is_changed():
    before = [signal.getsignal(number) for number in UNINTERRUPTED]
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGHUP)
    assert [signal.getsignal(number) for number in UNINTERRUPTED] == before
