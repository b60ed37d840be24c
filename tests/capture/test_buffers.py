from twinwall.capture.buffers import SPARE_BUFFERS, BufferPool


def test_a_buffer_is_lent_again_once_the_last_view_of_it_is_gone():
    pool = BufferPool(64)
    first = pool.take()
    address = first.__array_interface__["data"][0]
    view = first[3:5].view("u2")
    del first
    assert pool.take().__array_interface__["data"][0] != address
    del view
    assert address in {each.__array_interface__["data"][0] for each in (pool.take(), pool.take())}


def test_only_a_few_are_kept():
    pool = BufferPool(64)
    lent = [pool.take() for _ in range(SPARE_BUFFERS * 3)]
    del lent
    assert len(pool._free) == SPARE_BUFFERS
