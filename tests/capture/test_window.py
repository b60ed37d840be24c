import io

from twinwall.capture.buffers import BufferPool
from twinwall.capture.inflate import StreamError
from twinwall.capture.window import Window


class Failing(io.BytesIO):
    def __init__(self, data: bytes, failure: Exception) -> None:
        super().__init__(data)
        self.failure = failure

    def readinto(self, target):
        count = super().readinto(target[:3])
        if count == 0:
            raise self.failure
        return count


def test_a_refill_moves_the_rest_to_the_front_of_other_memory():
    window = Window(io.BytesIO(bytes(range(25))), BufferPool(10))
    old = window.buffer
    window.position = 7
    assert window.refill()
    assert window.buffer[: window.end].tolist() == list(range(7, 17))
    assert (window.offset, window.rest) == (7, 10)
    assert old.tolist() == list(range(10))
    window.position = 10
    window.refill()
    assert window.buffer[: window.end].tolist() == list(range(17, 25))
    assert not window.refill()


def test_a_failure_keeps_what_was_read_and_says_why():
    for failure, cause in ((OSError(5, "Input/output error"), "Input/output error"), (StreamError("broke", "mend"), "broke")):
        window = Window(Failing(b"abcdefg", failure), BufferPool(100))
        assert window.buffer[: window.end].tobytes() == b"abcdefg"
        assert cause in window.problem.cause
        assert not window.refill()
