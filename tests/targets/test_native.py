"""The cache of compiled code, and what compiled code may not contain."""

import pytest

from twinwall.path.primitives import Address, get, trailing_zeros
from twinwall.targets import native


def answer(record: Address, value: int) -> int:
    return get(record, 0) + trailing_zeros(value)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TWINWALL_CACHE", str(tmp_path))
    return tmp_path


def test_code_is_compiled_once_and_then_found(cache):
    announced = []
    assert not native.is_compiled({"answer": answer})
    native.load({"answer": answer}, lambda: announced.append("first"))
    assert native.is_compiled({"answer": answer})
    library = native.load({"answer": answer}, lambda: announced.append("second"))
    assert announced == ["first"]
    import numpy as np

    record = np.array([40], np.uint64)
    assert library.functions["answer"](record.ctypes.data, 4) == 42


def test_a_damaged_cache_is_compiled_anew(cache):
    native.load({"answer": answer})
    (stored,) = cache.iterdir()
    stored.write_bytes(stored.read_bytes()[:100])
    import numpy as np

    record = np.array([1], np.uint64)
    assert native.load({"answer": answer}).functions["answer"](record.ctypes.data, 8) == 4


def test_an_unwritable_cache_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TWINWALL_CACHE", str(tmp_path / "file" / "below"))
    assert "answer" in native.load({"answer": answer}).functions


def test_functions_keep_their_code_alive(cache):
    import gc

    import numpy as np

    function = native.load({"answer": answer}).functions["answer"]
    gc.collect()
    assert function(np.array([5], np.uint64).ctypes.data, 1) == 5


@pytest.mark.parametrize("value", [0, 1, 2, 1 << 63, 0xFF00, (1 << 64) - 1])
def test_trailing_zeros_of_every_kind(cache, value):
    import numpy as np

    zero = np.zeros(1, np.uint64)
    assert native.load({"answer": answer}).functions["answer"](zero.ctypes.data, value) == trailing_zeros(value)


def test_the_key_follows_code_and_constants_of_everything_called_but_not_comments():
    def variant(body: str, constant: int) -> str:
        scope = {"__name__": "variant"}
        exec(f"LIMIT = {constant}\ndef inner(value):\n    {body}\n\ndef outer(value):\n    return inner(value)\n", scope)
        return native.fingerprint({"outer": scope["outer"]})

    first = variant("return value + LIMIT", 1)
    assert first == variant("return value + LIMIT  # a remark", 1)
    assert first != variant("return value + LIMIT", 2)
    assert first != variant("return value - LIMIT", 1)
