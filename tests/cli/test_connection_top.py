from __future__ import annotations

from dataclasses import replace

from tests.cli.test_connection_rows import QUIET, WEB
from twinwall.cli.connection_rows import Seen
from twinwall.cli.connection_top import Watch
from twinwall.live.connection import Counters

SECOND = 1_000_000_000


def connections(*carried):
    return [replace(WEB, ident=ident, original_counters=Counters(1, size)) for ident, size in enumerate(carried, 1)]


def look(view, entries, seconds):
    return [(each.seen.entry.ident, each.rate) for each in view.look(entries, seconds * SECOND)]


def view(wanted=lambda entry: True):
    return Watch(lambda entry: Seen(entry, None), wanted)


def test_the_first_look_knows_no_rates_and_puts_the_largest_first():
    assert look(view(), connections(10, 30, 20), 5) == [(2, 0), (3, 0), (1, 0)]


def test_the_next_look_puts_the_busiest_first():
    watched = view()
    look(watched, connections(1000, 5000), 5)
    assert look(watched, connections(3000, 5000), 7) == [(1, 1000), (2, 0)]


def test_a_connection_that_is_new_has_no_rate_yet():
    watched = view()
    look(watched, connections(1000), 5)
    assert look(watched, connections(1000, 500), 6) == [(1, 0), (2, 0)]


def test_only_what_is_wanted_is_shown():
    watched = view(lambda entry: entry.protocol == 1)
    assert [each.seen.entry for each in watched.look([WEB, QUIET], SECOND)] == [QUIET]


def test_each_look_asks_whether_another_policy_is_in_force():
    asked = []
    watched = Watch(lambda entry: Seen(entry, None), lambda entry: True, lambda: asked.append(1))
    watched.look([WEB], SECOND)
    watched.look([WEB], 2 * SECOND)
    assert asked == [1, 1]
