"""Vectors of vectors/fidelity: a policy, packets with the answer that both judges give, and the mistake that it catches.

    catches: what was wrong when this was found
    policy: |
      twinwall: 1
      …
    packets:
    - in0 4500…: pass, new original, rule_flow, rule 0

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

FOLDER = Path(__file__).parents[2] / "vectors" / "fidelity"


@dataclass(frozen=True)
class Vector:
    """One vector; `answers` are replay's, in the order of the packets."""

    name: str
    catches: str
    policy: str
    sent: tuple[Sent, ...]
    answers: tuple[str, ...]


def printed(catches: str, policy: str, sent: list[Sent], answers: list[str]) -> str:
    """The text of a vector."""
    packets = [{f"{each.link} {each.packet.hex()}": answer} for each, answer in zip(sent, answers, strict=True)]
    out = StringIO()
    writer = YAML()
    writer.width = 100_000
    writer.dump({"catches": catches, "policy": LiteralScalarString(policy), "packets": packets}, out)
    return out.getvalue()


def read(path: Path) -> Vector:
    """The vector in a file."""
    content = YAML(typ="safe").load(path.read_text())
    sent, answers = [], []
    for step in content["packets"]:
        ((where, answer),) = step.items()
        link, packet = where.split()
        sent.append(Sent(link, bytes.fromhex(packet), ident_of(bytes.fromhex(packet))))
        answers.append(answer)
    return Vector(path.stem, content["catches"], content["policy"], tuple(sent), tuple(answers))


def vectors() -> list[Vector]:
    """All of them, by name."""
    return [read(path) for path in sorted(FOLDER.glob("*.yaml"))]
