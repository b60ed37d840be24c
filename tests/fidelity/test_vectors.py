"""Every vector of vectors/fidelity, by replay and by the kernel, with the stateless stage in both forms."""

from __future__ import annotations

import pytest

from tests.fidelity.enforced import WAYS
from tests.fidelity.trial import Change, Trial
from tests.fidelity.vectors import FOLDER, Vector, printed, read, vectors
from tests.oracle.kernel import why_unavailable
from twinwall.render.options import StatelessWay

VECTORS = vectors()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_replay(vector: Vector):
    answers = [answer for half in trial_of(vector, WAYS[0]).halves() for answer in half.replayed.answers]
    assert [str(each) for each in answers] == list(vector.answers), f"this vector catches: {vector.catches}"


@pytest.mark.kernel
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.lower())
def test_kernel(vector: Vector, way):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    outcome = trial_of(vector, way).run()
    assert not outcome.differences, f"this vector catches: {vector.catches}"


def trial_of(vector: Vector, way: StatelessWay) -> Trial:
    """A vector as a trial; a second policy has the other form of the stateless stage."""
    change = Change(vector.then, WAYS[1 - WAYS.index(way)], vector.sent[vector.turn].ident) if vector.then else None
    return Trial(vector.policy, vector.sent, way, change=change)


def test_folder_holds_nothing_else():
    assert {path.suffix for path in FOLDER.iterdir()} == {".yaml"}


def test_each_says_what_it_catches():
    assert all(vector.catches for vector in VECTORS)


def test_a_vector_comes_back_as_it_was_printed(tmp_path):
    for vector in VECTORS:
        path = tmp_path / f"{vector.name}.yaml"
        path.write_text(printed(vector))
        assert read(path) == vector
