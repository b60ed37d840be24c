import json
from pathlib import Path

import pytest

from tests.capture.reading import read

FOLDER = Path(__file__).parents[2] / "vectors" / "capture"
VECTORS = json.loads((FOLDER / "vectors.json").read_text())


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name):
    vector = VECTORS[name]
    outcome = read([FOLDER / name])
    assert [[each.timestamp, len(each.data), each.wire, each.interface] for each in outcome.packets] == vector["frames"]
    assert (outcome.error.offset if outcome.error else None) == vector["error"]
    assert vector["catches"]


def test_no_vector_is_astray():
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == {*VECTORS, "vectors.json", "generate.py"}
