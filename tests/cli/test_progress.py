from __future__ import annotations

import sys
from types import SimpleNamespace

from twinwall.cli.progress import Bar, Silence, progress_of

RUN = SimpleNamespace(total=100, taken=40, summary=SimpleNamespace(totals=SimpleNamespace(frames=7)))


def test_a_bar_shows_what_was_read(monkeypatch):
    with Bar(RUN) as bar:
        bar.advance()
        (task,) = bar._progress.tasks
        assert (task.completed, task.total, task.fields["packets"]) == (40, 100, 7)


def test_only_a_terminal_gets_a_bar_unless_it_is_asked_for(monkeypatch):
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda answer=terminal: answer, raising=False)
        assert isinstance(progress_of(RUN, wanted=None), Bar) is terminal
        assert isinstance(progress_of(RUN, wanted=True), Bar)
        assert not isinstance(progress_of(RUN, wanted=False), Bar)


def test_silence_is_silent(capfd):
    with Silence() as silence:
        silence.advance()
    assert capfd.readouterr() == ("", "")
