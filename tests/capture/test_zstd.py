import random

import pytest
import zstandard

from twinwall.capture.zstd import ZstdMember

CONTENT = random.Random(3).randbytes(300_000) + bytes(500_000)


def run(data: bytes, step: int, room: int = 50_000) -> tuple[bytes, ZstdMember]:
    member, output = ZstdMember(), b""
    for start in range(0, len(data), step):
        output += member.decompress(data[start : start + step], room)
        while more := member.decompress(b"", room):
            output += more
    return output, member


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("size", [False, True])
@pytest.mark.parametrize("step", [1777, 64 << 10, 10 << 20])
def test_frames_of_every_header_form(checksum, size, step):
    compressor = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=size)
    for content in (b"", b"abc", bytes(300), CONTENT):
        output, member = run(compressor.compress(content), step)
        assert output == content
        assert member.eof
        assert member.unused == b""


def test_input_byte_by_byte_and_what_follows_the_frame():
    data = zstandard.ZstdCompressor().compress(b"hello " * 100)
    output, member = run(data, 1)
    assert (output, member.eof) == (b"hello " * 100, True)
    _, member = run(data + b"next", 1 << 20)
    assert member.unused == b"next"


def test_a_skippable_frame_has_no_content():
    output, member = run(b"\x55\x2a\x4d\x18\x05\x00\x00\x00abcdeXY", 3)
    assert output == b""
    assert member.eof
    assert run(b"\x50\x2a\x4d\x18\x00\x00\x00\x00", 1)[1].eof


def test_one_call_gives_at_most_one_block_of_a_bomb():
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(50_000_000))
    assert len(bomb) < 10_000
    member = ZstdMember()
    first = member.decompress(bomb, 1 << 30)
    assert 0 < len(first) <= 128 << 10


def test_a_window_beyond_the_limit_is_refused():
    with pytest.raises(zstandard.ZstdError):
        run(b"\x28\xb5\x2f\xfd\x00\xf8" + b"\x01\x00\x00", 100)
