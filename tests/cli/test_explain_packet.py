from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.running import twinwall, write_policy
from twinwall.capture import PcapngWriter
from twinwall.engine.conversation import Conversation
from twinwall.engine.recorder import OneFrame
from twinwall.engine.spoken_frame import encode

SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"
PIECE = "udp 10.0.0.5:4000 > 198.51.100.53:53 len 40"
RULES = """
    pass tcp any any -> any 443 (msg:"web"; flow:to_server; sid:100;)
    drop udp any any -> any 53 (msg:"names"; sid:101;)
"""


def capture(path, *texts):
    """A capture of packets in words."""
    talk, now = Conversation(), 1_700_000_000 * 10**9
    with PcapngWriter(str(path)) as writer:
        for text in texts:
            packet = talk.say(text)
            now += packet.after
            frame = encode(packet)
            batch = OneFrame.of(frame.data, frame.link, now)
            batch.frames["linktype"] = 101
            writer.write_frames(batch.buffer, batch.frames, {})
    return path


@pytest.fixture
def policy(tmp_path):
    return write_policy(tmp_path / "p.yaml", RULES)


def test_a_packet_in_the_middle(tmp_path, policy, capsys):
    path = capture(tmp_path / "c.pcapng", SYN, "< S.", "> .", "> P. len 9")
    assert twinwall("replay", policy, path, "--explain", 3) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("packet 3\n")
    assert "ACK in original direction: the table leads from SYN_RECV to ESTABLISHED" in " ".join(printed.split())
    assert 'pass by stateful rule 100 "web"' in printed


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7])
def test_it_ends_as_the_replay_does(tmp_path, policy, capsys, number):
    texts = SYN, "< S.", f"{PIECE} frag 0+", "> frag 88+ len 8", "> frag 48 len 40", f"{SYN}F", PIECE
    path = capture(tmp_path / "c.pcapng", *texts)
    rows = tmp_path / "rows.csv"
    assert twinwall("replay", policy, path, "--decisions", rows, "--no-progress") == 0
    row = dict(zip(*(line.split(",") for line in np.array(rows.read_text().splitlines())[[0, number]]), strict=True))
    capsys.readouterr()
    assert twinwall("replay", policy, path, "--explain", number, "--json") == 0
    told = json.loads(capsys.readouterr().out)["packets"][0]
    assert (told["verdict"], told["reason"], told["stage"]) == (row["verdict"], row["reason"], row["stage"])


def test_a_piece_is_followed_to_its_datagram(tmp_path, policy, capsys):
    path = capture(tmp_path / "c.pcapng", f"{PIECE} frag 0+", SYN, f"{PIECE} frag 48")
    assert twinwall("replay", policy, path, "--explain", 1) == 0
    printed = capsys.readouterr().out
    assert "held until the datagram's other pieces come" in printed
    assert "packet 3, with which packet 1 was decided" in printed
    assert printed.count('drop by stateful rule 101 "names"') == 2


def test_a_datagram_that_never_comes(tmp_path, policy, capsys):
    path = capture(tmp_path / "c.pcapng", f"{PIECE} frag 0+", SYN)
    assert twinwall("replay", policy, path, "--explain", 1) == 0
    assert "fragment_incomplete: the datagram's other fragments never came" in " ".join(capsys.readouterr().out.split())


def test_a_packet_that_the_capture_does_not_have(tmp_path, policy, capsys):
    path = capture(tmp_path / "c.pcapng", SYN, "< S.")
    assert twinwall("replay", policy, path, "--explain", 3) == 2
    assert "there is no packet 3: the captures hold 2 packets, numbered from 1" in capsys.readouterr().err


def test_a_capture_that_breaks_off(tmp_path, policy, capsys):
    path = capture(tmp_path / "c.pcapng", SYN, "< S.", "> .")
    path.write_bytes(path.read_bytes()[:-10])
    assert twinwall("replay", policy, path, "--explain", 2) == 0
    capsys.readouterr()
    assert twinwall("replay", policy, path, "--explain", 3) == 1
    assert "error:" in capsys.readouterr().err
