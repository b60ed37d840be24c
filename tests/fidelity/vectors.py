"""Vectors of vectors/fidelity: a policy, packets with the answer that both judges give, and the mistake that it catches.

    catches: what was wrong when this was found
    policy: |
      twinwall: 1
      …
    packets:
    - in0 4500…: pass, new original, rule_flow, rule 0

With `then`, a second policy, the packets behind the entry `then` meet that one.

An answer is printed as `replayed.Answer` prints itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from tests.fidelity.headers import ident_of
from tests.fidelity.traffic import Sent

THEN = "then"
FOLDER = Path(__file__).parents[2] / "vectors" / "fidelity"


@dataclass(frozen=True)
class Vector:
    """One vector; `answers` are replay's, in the order of the packets."""

    name: str
    catches: str
    policy: str
    sent: tuple[Sent, ...]
    answers: tuple[str, ...]
    then: str = ""  # the policy of the packets from `turn` on
    turn: int = 0


def printed(vector: Vector) -> str:
    """The text of a vector."""
    packets: list[dict[str, str] | str] = [
        {f"{each.link} {each.packet.hex()}": answer} for each, answer in zip(vector.sent, vector.answers, strict=True)
    ]
    content = {"catches": vector.catches, "policy": LiteralScalarString(vector.policy)}
    if vector.then:
        packets.insert(vector.turn, THEN)
        content[THEN] = LiteralScalarString(vector.then)
    out = StringIO()
    writer = YAML()
    writer.width = 100_000
    writer.dump({**content, "packets": packets}, out)
    return out.getvalue()


def read(path: Path) -> Vector:
    """The vector in a file."""
    content = YAML(typ="safe").load(path.read_text())
    sent, answers, turn = [], [], 0
    for step in content["packets"]:
        if step == THEN:
            turn = len(sent)
            continue
        ((where, answer),) = step.items()
        link, packet = where.split()
        sent.append(Sent(link, bytes.fromhex(packet), ident_of(bytes.fromhex(packet))))
        answers.append(answer)
    return Vector(path.stem, content["catches"], content["policy"], tuple(sent), tuple(answers), content.get(THEN, ""), turn)


def vectors() -> list[Vector]:
    """All of them, by name."""
    return [read(path) for path in sorted(FOLDER.glob("*.yaml"))]
