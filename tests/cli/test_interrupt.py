from __future__ import annotations

import os
import signal
import threading

import pytest

from twinwall.cli.interrupt import Interrupts


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_the_work_at_hand(number):
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        send(number)
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt), interrupts.welcome():
            pytest.fail("what was asked for comes here")
    assert signal.getsignal(number) is before


def test_where_the_program_waits_it_interrupts_at_once():
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt), interrupts.welcome():
        send()


def test_the_second_signal_interrupts_anywhere():
    with Interrupts() as interrupts:
        send()
        with pytest.raises(KeyboardInterrupt):
            send()
        assert interrupts.asked


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            send(signal.SIGHUP)
            assert not interrupts.asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_than_the_main_one_handles_none():
    seen = []

    def work():
        with Interrupts() as interrupts, interrupts.welcome():
            seen.append(interrupts.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
