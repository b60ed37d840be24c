from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from twinwall.events.timestamp import age_seconds, eve_time


def test_the_last_nanosecond_of_a_year_does_not_round_up():
    assert eve_time(1_767_225_599_999_999_999) == "2025-12-31T23:59:59.999999+0000"
    assert eve_time(0) == "1970-01-01T00:00:00.000000+0000"


@given(st.integers(0, 2**64 - 1))
def test_reading_a_timestamp_gives_the_microsecond_it_came_from(timestamp):
    read = datetime.strptime(eve_time(timestamp), "%Y-%m-%dT%H:%M:%S.%f%z")
    assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == timestamp // 1000


def test_an_age_is_the_difference_of_whole_seconds():
    assert age_seconds(2_900_000_000, 3_100_000_000) == 1
    assert age_seconds(2_000_000_000, 2_999_999_999) == 0
