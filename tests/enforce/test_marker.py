"""What the kernel says of itself, and what is not to be taken for that."""

from __future__ import annotations

import pytest

from tests.live.namespace import in_namespace
from twinwall.enforce.closed import closed_ruleset
from twinwall.enforce.linux import RULESET
from twinwall.enforce.marker import Marker
from twinwall.live import nft
from twinwall.live.nft_objects import marker_text
from twinwall.policy.model import Mode

namespace = pytest.fixture(in_namespace)


NONE = [None, "", "x", "twinwall closed", "twinwall  generation 1", "twinwall AB generation 1", " twinwall ab generation 1"]
MORE = ["twinwall ab generation 0", "twinwall ab generation 8", "twinwall ab generation 1 and more"]


@pytest.mark.parametrize("comment", [*NONE, *MORE])
def test_a_comment_that_is_no_marker(comment):
    assert Marker.parse(comment) is None


def test_a_marker_reads_what_it_writes():
    marker = Marker("ab" * 16, 7)
    assert Marker.parse(str(marker)) == marker


@pytest.mark.kernel
def test_what_closes_a_machine_is_not_taken_for_a_policy(namespace):
    nft.load(closed_ruleset(Mode.GATEWAY))
    assert Marker.parse(marker_text(RULESET)) is None
