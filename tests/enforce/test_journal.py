"""The journal: added to, never rewritten, readable after a power cut."""

import os

from twinwall.enforce.journal import Author, Entry, Journal, Outcome, author, now

ENTRY = Entry(now(), "apply", Outcome.DONE, Author(0, "root", "ann", "192.0.2.9"), "aa", "bb", "a.yaml", {"added": 2}, "fine")


def test_entries_come_back_in_order(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert list(journal.entries()) == []
    other = Entry(now(), "rollback", Outcome.FAILED, Author())
    journal.write(ENTRY)
    journal.write(other)
    assert list(journal.entries()) == [ENTRY, other]


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(ENTRY)
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-20] + b"\n" + whole)
    assert list(journal.entries()) == [ENTRY]


def test_who_says_login_and_client():
    assert str(Author(0, "root", "ann", "192.0.2.9")) == "ann as root from 192.0.2.9"
    assert str(Author(0, "root", "root")) == "root"


def test_the_author_is_who_runs_the_process(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "ann")
    found = author("192.0.2.9")
    assert found.uid == os.getuid()
    assert found.client == "192.0.2.9"
    assert found.user


def test_what_sudo_says_makes_no_line_of_its_own(monkeypatch):
    monkeypatch.setattr("twinwall.enforce.journal.Path.read_text", lambda _: str(0xFFFFFFFF))
    monkeypatch.setenv("SUDO_USER", "ann\nroot")
    assert author().login == "ann?root"
