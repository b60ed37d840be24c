from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture import forge
from tests.capture.forge import Packet
from twinwall.capture import INTERPRETED, compiled_framer, framing
from twinwall.capture.interface import Interface, state_row
from twinwall.path.layout import FRAME
from twinwall.path.primitives import Pointer
from twinwall.targets import native


@cache
def native_framer():
    library = native.load({"frame_pcap": framing.frame_pcap, "frame_blocks": framing.frame_blocks})
    return library, compiled_framer(library.functions["frame_pcap"], library.functions["frame_blocks"])


def fresh_state(swapped: int) -> np.ndarray:
    state = np.zeros(framing.STATE_WORDS + 2 * framing.ROW_WORDS, np.uint64)
    state[framing.S_SWAPPED] = swapped
    state[framing.S_SCALE], state[framing.S_HEADER] = 1000, 16
    state[framing.S_LIMIT], state[framing.S_BLOCK_LIMIT] = 1000, 4096
    state[framing.S_INTERFACES] = 2
    for number, resolution in enumerate((9, 0xA8)):
        start = framing.STATE_WORDS + number * framing.ROW_WORDS
        state[start : start + framing.ROW_WORDS] = state_row(Interface(1, 4, "", resolution, -number), 1 << 32)
    return state


def walk(framer, name, data, capacity, swapped):
    buffer = np.frombuffer(bytearray(data + bytes(8)), np.uint8)
    frames, state = np.zeros(capacity, FRAME), fresh_state(swapped)
    packed = getattr(framer, name)(buffer, 0, len(data), frames, state)
    return packed, frames.tobytes(), state.tobytes()


ORDERS = st.sampled_from("<>")


@st.composite
def stretches(draw):
    """Records or blocks, some bytes of them changed, the end cut off."""
    order, name = draw(ORDERS), draw(st.sampled_from(["pcap", "blocks"]))
    contents = draw(st.lists(st.binary(max_size=12), max_size=6))
    ticks = st.integers(0, 2**64 - 1)
    if name == "pcap":
        data = b"".join(forge.pcap_record(Packet(draw(st.integers(0, 2**32 - 1)), 7, each, 9), order) for each in contents)
    else:
        makers = [
            lambda each: forge.enhanced(draw(ticks), each, draw(st.integers(0, 2)), order),
            lambda each: forge.simple(each, order, 9),
            lambda each: forge.old_packet(draw(ticks), each, 1, order),
            lambda each: forge.block(77, each, order),
        ]
        data = b"".join(draw(st.sampled_from(makers))(each) for each in contents)
    changed = bytearray(data)
    for at, value in draw(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=3)):
        if changed:
            changed[at % len(changed)] = value
    return name, bytes(changed[: draw(st.integers(0, len(changed)))]), int(order == ">")


@settings(max_examples=300, deadline=None)
@given(stretches(), st.integers(0, 5))
def test_compiled_and_interpreted_walks_agree(stretch, capacity):
    name, data, swapped = stretch
    _, compiled = native_framer()
    assert walk(compiled, name, data, capacity, swapped) == walk(INTERPRETED, name, data, capacity, swapped)


@given(st.integers(0, 2**64 - 1), st.integers(0, 255), st.integers(-(2**40), 2**40))
def test_a_clock_of_any_resolution_is_right_to_the_nanosecond(ticks, resolution, offset):
    row = np.array(state_row(Interface(1, 0, "", resolution, offset), 0), np.uint64)
    seen = framing.nanoseconds(Pointer(row.view(np.uint8).data), ticks)
    units = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    exact = ticks * 10**9 // units + offset * 10**9
    if 0 <= exact < 2**62 and ticks * 10**9 // units < 2**62 and abs(offset) < 2**32:
        coarse = resolution & 0x80 and resolution & 0x7F > framing.FINEST_SHIFT
        beyond = units > 2**63
        assert exact - seen in ((0, 1) if coarse else (0,)) or beyond
    assert 0 <= seen < 2**64


def test_picoseconds_of_today_use_the_whole_64_bits():
    row = np.array(state_row(Interface(1, 0, "", 12, 0), 0), np.uint64)
    assert framing.nanoseconds(Pointer(row.view(np.uint8).data), 2**64 - 1) == (2**64 - 1) // 1000


def test_a_negative_offset_stops_at_1970():
    row = np.array(state_row(Interface(1, 0, "", 6, -10), 0), np.uint64)
    assert framing.nanoseconds(Pointer(row.view(np.uint8).data), 5_000_000) == 0
    assert framing.nanoseconds(Pointer(row.view(np.uint8).data), 11_000_000) == 10**9
