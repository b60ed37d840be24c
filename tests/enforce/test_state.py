"""The state folder: what is written comes back, what is damaged is said."""

import os

import pytest

from tests.enforce.rig import SOMEBODY, source
from twinwall.enforce.state import Chosen, Confirmed, InForce, Pending, Preference, State
from twinwall.live.error import EnforcementError

A, B = Chosen("aa", "a.yaml"), Chosen("bb", "b.yaml", Preference.NFT)
FORCE = InForce(
    A, 3, kept=(1, 2), way="nft", why="no XDP", queue="target", modes={"in0": "native"}, since="now", fingerprint="f"
)


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state")


def test_an_empty_folder_says_nothing(state):
    assert (state.current(), state.confirmed(), state.pending(), state.originals()) == (None, None, None, {})


def test_what_is_written_comes_back(state):
    confirmed = Confirmed(B, A, "now", "trial")
    pending = Pending("id", "apply", FORCE, None, SOMEBODY, "boot", 12.5, "then", {"added": 1})
    state.set_current(FORCE)
    state.set_confirmed(confirmed)
    state.set_pending(pending)
    state.set_originals({"net.a": "1"})
    again = State(state.folder)
    assert (again.current(), again.confirmed(), again.pending()) == (FORCE, confirmed, pending)
    assert again.originals() == {"net.a": "1"}


def test_none_removes(state):
    state.set_current(FORCE)
    state.set_current(None)
    state.set_pending(None)
    assert state.current() is None
    assert list(state.folder.glob("*.json")) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"chosen": null}', b'{"generation": 1}'])
def test_damage_is_an_error_with_a_remedy(state, damage):
    state.set_current(FORCE)
    (state.folder / "current.json").write_bytes(damage)
    with pytest.raises(EnforcementError, match="damaged") as caught:
        state.current()
    assert caught.value.remedy


def test_fields_of_a_newer_version_are_passed_over(state):
    state.set_confirmed(Confirmed(A))
    path = state.folder / "confirmed.json"
    path.write_text(path.read_text().replace("{", '{"colour": "red",', 1))
    assert state.confirmed() == Confirmed(A)


def test_only_the_owner_may_read(state):
    state.set_current(FORCE)
    state.keep_source(source())
    modes = {path.stat().st_mode & 0o077 for path in [state.folder, *state.folder.rglob("*")]}
    assert modes == {0}


def test_a_policy_comes_back_by_its_digest(state):
    state.keep_source(source(443))
    assert state.source(source(443).digest) == source(443)


def test_a_policy_that_somebody_edited_is_refused(state):
    state.keep_source(source(443))
    path = state.policy_folder(source(443).digest) / "source.json"
    path.write_bytes(path.read_bytes().replace(b"443", b"444"))
    with pytest.raises(EnforcementError, match="damaged"):
        state.source(source(443).digest)
    with pytest.raises(EnforcementError, match="missing"):
        state.source("0" * 32)


def test_old_policies_are_forgotten_but_not_those_in_use(state):
    for port in range(1, 40):
        state.keep_source(source(port))
        os.utime(state.policy_folder(source(port).digest), (port, port))
    state.set_confirmed(Confirmed(Chosen(source(1).digest, "a"), Chosen(source(2).digest, "b")))
    state.forget_policies()
    left = {folder.name for folder in (state.folder / "policies").iterdir()}
    assert {source(1).digest, source(2).digest, source(39).digest} <= left
    assert len(left) == 18


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnforcementError, match="hint") as caught:
        State(tmp_path / "file" / "below").set_current(FORCE)
    assert "--state" in caught.value.remedy
