"""SipHash-1-3 against CPython's own, which hashes strings of bytes with it under a key that PYTHONHASHSEED sets."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest

from twinwall.conntrack.siphash import LONG, SHORT, siphash13

MASK64 = 0xFFFFFFFFFFFFFFFF
PROGRAM = "import sys, json; print(json.dumps([hash(bytes.fromhex(each)) for each in json.load(sys.stdin)]))"


def key_of_seed(seed: int) -> tuple[int, int]:
    """CPython's `lcg_urandom`, from which it takes the key of its string hash; seed 0 is the key of zeros."""
    state, key = seed, b""
    while len(key) < 16:
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        key += bytes([state >> 16 & 0xFF]) if seed else b"\0"
    return int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")


def hashed(key: tuple[int, int], message: bytes) -> int:
    """`siphash13` of the message's words."""
    words = [int.from_bytes(message[at : at + 8], "little") for at in range(0, len(message), 8)]
    return siphash13(*key, len(words), *[0] * (LONG - len(words)), *words)


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="this Python hashes with something else")
@pytest.mark.parametrize("seed", [0, 1, 20240229])
def test_same_as_cpython(seed):
    rng = random.Random(seed)
    messages = [rng.randbytes(8 * words) for words in (SHORT, LONG) * 4]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([message.hex() for message in messages]),
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [value & MASK64 for value in json.loads(done.stdout)]
    key = key_of_seed(seed)
    assert [hashed(key, message) for message in messages] == expected


def test_key_decides():
    assert hashed((1, 2), bytes(16)) != hashed((1, 3), bytes(16))


def test_short_message_does_not_see_the_first_words():
    assert siphash13(1, 2, SHORT, 3, 4, 5, 6, 7) == siphash13(1, 2, SHORT, 0, 0, 0, 6, 7)
