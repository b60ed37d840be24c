"""What wakes the guard, and when: at once after a quiet time, and not for each notice of a burst."""

from __future__ import annotations

import pytest

from tests.live.namespace import in_namespace
from twinwall.enforce import notices
from twinwall.enforce.notices import CALM, SOON, Notices

pytestmark = pytest.mark.kernel


@pytest.fixture
def space():
    yield from in_namespace()


class Recorded(Notices):
    """Remembers for how long it was ready to wait, and waits no longer than it must."""

    def __init__(self):
        self.now = 100.0
        self.waits = []
        super().__init__(lambda: self.now)

    def _ready(self, seconds):
        self.waits.append(seconds)
        return super()._ready(min(seconds, 5) if len(self.waits) == 1 else 0)


def change(space, name):
    space.run("nft", "add", "table", "inet", name)


def test_a_notice_after_a_quiet_time_is_looked_at_at_once(space):
    with Recorded() as waiting:
        change(space, "a")
        assert waiting.wait(5)
        assert CALM not in waiting.waits


def test_what_follows_soon_is_waited_for_until_it_is_over(space):
    with Recorded() as waiting:
        change(space, "a")
        assert waiting.wait(5)
        waiting.now += SOON / 2
        change(space, "b")
        waiting.waits.clear()
        assert waiting.wait(5)
        assert CALM in waiting.waits
        waiting.now += SOON
        change(space, "c")
        waiting.waits.clear()
        assert waiting.wait(5)
        assert CALM not in waiting.waits


def test_where_nothing_happens_it_is_looked_after_the_period(space):
    with Notices() as waiting:
        assert not waiting.wait(0)
    assert notices.PERIOD == 5.0, "docs/applying.md says so"
