"""The two walks of `framing` as callables over NumPy arrays: interpreted here, compiled where `targets.native` gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from twinwall.capture import framing
from twinwall.path.primitives import Pointer

if TYPE_CHECKING:
    from twinwall.capture.batch import Frames
    from twinwall.capture.buffers import Bytes

State = npt.NDArray[np.uint64]
Walk = Callable[["Bytes", int, int, "Frames", State], int]  # buffer, position, end, frames to fill, state
AddressWalk = Callable[[int, int, int, int, int, int], int]  # the same over machine addresses, with the capacity


@dataclass(frozen=True, slots=True)
class Framer:
    """How a reader finds frames."""

    pcap: Walk
    blocks: Walk


def _pointer(array: npt.NDArray[np.generic]) -> Pointer:
    return Pointer(array.view(np.uint8).data)


def _interpret(walk: Callable[[Pointer, int, int, Pointer, int, Pointer], int]) -> Walk:
    def over_arrays(buffer: Bytes, position: int, end: int, frames: Frames, state: State) -> int:
        return walk(_pointer(buffer), position, end, _pointer(frames), len(frames), _pointer(state))

    return over_arrays


def _address(array: npt.NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


def _compiled(walk: AddressWalk) -> Walk:
    def over_arrays(buffer: Bytes, position: int, end: int, frames: Frames, state: State) -> int:
        return walk(_address(buffer), position, end, _address(frames), len(frames), _address(state))

    return over_arrays


INTERPRETED = Framer(_interpret(framing.frame_pcap), _interpret(framing.frame_blocks))


def compiled_framer(frame_pcap: AddressWalk, frame_blocks: AddressWalk) -> Framer:
    """A framer over the natively compiled `framing.frame_pcap` and `framing.frame_blocks`."""
    return Framer(_compiled(frame_pcap), _compiled(frame_blocks))


def native_framer(announce: Callable[[], None] | None = None) -> Framer:
    """A framer that runs on the processor; `announce` is called before its one-time compilation."""
    from twinwall.targets import native  # noqa: PLC0415 - reading interpreted does without a compiler

    walks = {"frame_pcap": framing.frame_pcap, "frame_blocks": framing.frame_blocks}
    functions = native.load(walks, announce).functions
    return compiled_framer(functions["frame_pcap"], functions["frame_blocks"])
