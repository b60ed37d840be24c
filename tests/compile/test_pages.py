"""Pages: every number of an array is found again, and equal pages are stored once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twinwall.compile.pages import PAGE, START, PagePool


def read(pool, directory, index):
    pages = pool.words().view(np.uint32)
    return int(pages[directory[index // PAGE] - START + index % PAGE])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 700)), min_size=1, max_size=4))
def test_every_number_is_found_again(runs):
    arrays = [np.repeat(np.arange(value, value + 2, dtype=np.uint32), count) for value, count in runs]
    pool = PagePool()
    directories = [pool.add(array) for array in arrays]
    for array, directory in zip(arrays, directories, strict=True):
        assert len(directory) == -(-len(array) // PAGE)
        assert [read(pool, directory, at) for at in range(len(array))] == array.tolist()


def test_equal_pages_are_stored_once_whichever_array_they_belong_to():
    pool = PagePool()
    one = pool.add(np.full(65536, 7, np.uint32))
    assert set(one.tolist()) == {START}
    two = pool.add(np.concatenate((np.full(256, 9, np.uint32), np.full(256, 7, np.uint32))))
    assert two.tolist() == [START + PAGE, START]
    assert len(pool.words()) == 2 * 128


def test_the_last_page_is_filled_up():
    pool = PagePool()
    (page,) = pool.add(np.array([5], np.uint32)).tolist()
    assert (page, len(pool.words())) == (START, 128)
