from __future__ import annotations

from twinwall.engine.spoken_error import SpokenError


def test_the_place_is_marked_below_the_text():
    error = SpokenError("tcp 1.2.3.4\x1b", 5, "a port", "tcp 1.2.3.4:5 > 1.2.3.5:6")
    assert str(error).splitlines() == [
        "column 5: expected a port",
        "    tcp 1.2.3.4?",
        "        ^",
        "    for example: tcp 1.2.3.4:5 > 1.2.3.5:6",
    ]
