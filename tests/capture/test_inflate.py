import gzip
import io
import lzma
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.capture import forge
from tests.capture.forge import Packet
from tests.capture.reading import read_bytes
from twinwall.capture.inflate import COMPRESSIONS, InflatedStream, StreamError

COMPRESS = {"gzip": gzip.compress, "xz": lzma.compress, "zstd": zstandard.ZstdCompressor(write_checksum=True).compress}
BY_NAME = {each.name: each for each in COMPRESSIONS}
PACKETS = [Packet(n, 0, bytes([n]) * 60) for n in range(100)]
NAMES = list(COMPRESS)


def inflate(name: str, data: bytes, room: int = 1000) -> bytes:
    stream = InflatedStream(io.BytesIO(data), BY_NAME[name])
    target = bytearray(room)
    output = b""
    while count := stream.readinto(memoryview(target)):
        output += target[:count]
    return output


@pytest.mark.parametrize("name", NAMES)
def test_a_compressed_capture_reads_like_the_capture(tmp_path, name):
    plain = forge.pcap(PACKETS)
    outcome = read_bytes(tmp_path, COMPRESS[name](plain))
    assert outcome.error is None
    assert [seen.data for seen in outcome.packets] == [packet.data for packet in PACKETS]


@pytest.mark.parametrize("name", NAMES)
def test_members_one_after_the_other(name):
    compress = COMPRESS[name]
    assert inflate(name, compress(b"one ") + compress(b"") + compress(b"two")) == b"one two"


@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_zero_padding_after_a_member(name):
    assert inflate(name, COMPRESS[name](b"one") + bytes(8)) == b"one"


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_gives_a_prefix_and_says_so(name):
    plain = forge.pcap(PACKETS)
    data = COMPRESS[name](plain)
    for length in range(7, len(data)):
        stream = InflatedStream(io.BytesIO(data[:length]), BY_NAME[name])
        target = bytearray(1 << 16)
        output = b""
        cause = ""
        try:
            while count := stream.readinto(memoryview(target)):
                output += target[:count]
        except StreamError as problem:
            cause = problem.cause
        assert "ends early" in cause
        assert plain.startswith(output)


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_compressed_capture_gives_what_was_readable(tmp_path, name):
    noise = bytes((n * n * 7919 >> 5) & 0xFF for n in range(60_000))
    packets = [Packet(n, 0, noise[n * 60 : n * 60 + 60]) for n in range(1000)]
    data = COMPRESS[name](forge.pcap(packets))
    outcome = read_bytes(tmp_path, data[:-3])
    assert [seen.data for seen in outcome.packets] == [packet.data for packet in packets[: len(outcome.packets)]]
    assert f"the {name} stream ends early" in outcome.error.cause


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_is_read_in_small_pieces(name):
    bomb = COMPRESS[name](bytes(20_000_000))
    stream = InflatedStream(io.BytesIO(bomb), BY_NAME[name])
    target = memoryview(bytearray(100_000))
    total = 0
    while count := stream.readinto(target):
        assert count <= 100_000
        total += count
    assert total == 20_000_000


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_a_stream_error_that_names_the_format(name):
    data = bytearray(COMPRESS[name](bytes(range(256)) * 50))
    data[-6] ^= 0xFF
    with pytest.raises(StreamError, match=name):
        inflate(name, bytes(data))
    with pytest.raises(StreamError, match=name):
        inflate(name, COMPRESS[name](b"x") + b"garbage after the stream")


def test_an_xz_dictionary_beyond_the_limit_is_refused():
    head = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}])
    # The dictionary size is one byte of the block header; what it asks for matters, not what the content needs.
    at = head.index(b"\x21\x01") + 2
    block_header = head[12:at] + bytes([36]) + head[at + 1 : 12 + (head[12] + 1) * 4 - 4]
    patched = head[:12] + block_header + zlib.crc32(block_header).to_bytes(4, "little") + head[12 + len(block_header) + 4 :]
    with pytest.raises(StreamError, match=r"[Mm]emory"):
        inflate("xz", patched)


@given(st.lists(st.binary(max_size=300), max_size=4), st.sampled_from(NAMES), st.integers(1, 400))
def test_any_content_in_any_room(parts, name, room):
    data = b"".join(COMPRESS[name](part) for part in parts)
    if data:
        assert inflate(name, data, room) == b"".join(parts)


@given(st.binary(max_size=200), st.sampled_from(NAMES))
def test_arbitrary_bytes_after_the_magic_never_crash(data, name):
    remedy = "none needed"
    try:
        inflate(name, BY_NAME[name].magic[0] + data)
    except StreamError as problem:
        remedy = problem.remedy
    assert remedy
