"""Capture files: pcap and pcapng, compressed or not; readers and a writer.

- `reader`: `open_captures`, the way in; `batch`: what it yields; `error`: the one error.
- `source`, `inflate`, `zstd`, `window`, `buffers`: bytes from a file or a pipe, decompressed, in memory that is used again.
- `file`, `tape`, `pcap`, `pcapng`, `interface`, `linktypes`, `foreign`: one file and its format.
- `framing`: the packet-path walk over records and blocks; `framer`: how it is called.
- `merge`: several files in time order.
- `writer`: pcapng out.
"""

from twinwall.capture.batch import CaptureSummary, FrameBatch, Totals
from twinwall.capture.error import CaptureError
from twinwall.capture.framer import INTERPRETED, Framer, compiled_framer
from twinwall.capture.reader import CaptureRun, open_captures
from twinwall.capture.writer import PcapngWriter

__all__ = [
    "INTERPRETED",
    "CaptureError",
    "CaptureRun",
    "CaptureSummary",
    "FrameBatch",
    "Framer",
    "PcapngWriter",
    "Totals",
    "compiled_framer",
    "open_captures",
]
