"""`docs/outputs.md` shows what is really written."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.events.conversation import conversation_batch
from tests.events.test_summary import example
from twinwall.engine.batch import COLUMNS, PROTOCOL_WORDS
from twinwall.events import aws_log
from twinwall.events.decisions import HEADER, csv_rows
from twinwall.events.drop import drop_reason
from twinwall.events.eve import batch_records
from twinwall.events.stats import Statistics
from twinwall.path.reason import Reason

PAGE = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text()
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)]
EDGE = aws_log.Envelope("edge", "us-east-1a", "arn:aws:network-firewall:us-east-1:111122223333:firewall-policy/edge")


def written() -> list[dict]:
    made, statistics = conversation_batch(), Statistics()
    statistics.add(made)
    return [*batch_records(made), statistics.record(), *aws_log.batch_records(made, EDGE)]


@pytest.mark.parametrize("shown", EXAMPLES, ids=lambda shown: shown.get("event_type", "aws"))
def test_every_record_shown_is_one_that_is_written(shown):
    assert json.dumps(shown) in [json.dumps(record) for record in written()]


def test_every_kind_of_record_is_shown():
    kinds = [shown.get("event_type") or shown["event"]["event_type"] for shown in EXAMPLES]
    assert kinds == ["alert", "drop", "flow", "netflow", "stats", "alert", "netflow"]


def test_the_rows_shown_are_written():
    (block,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    header, *rows = block.splitlines()
    assert f"{header}\n" == HEADER.decode()
    assert set(rows) <= set(csv_rows(conversation_batch()).decode().splitlines())


def test_every_column_and_protocol_word_is_described():
    described = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")))
    assert set(COLUMNS) <= set(described)
    assert all(f"`{word}`" in PAGE for word in PROTOCOL_WORDS.values())


def test_every_field_of_the_summary_is_described():
    table = PAGE[PAGE.index("`--json` prints") :]
    assert {name for name in example().to_data() if f"`{name}`" not in table} == set()


def test_the_words_of_drops_are_described():
    rows = dict(re.findall(r"^\| `([a-z ]+)` \| (.*) \|$", PAGE, re.MULTILINE))
    for reason in Reason:
        word = drop_reason(reason)
        if word not in ("rules", "decode error"):
            assert f"`{reason.name.lower()}`" in rows[word]


def test_the_summary_shown_is_printed():
    (block,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    stream = io.StringIO()
    example().render(Console(file=stream, width=60))
    assert block.splitlines() == [line.rstrip() for line in stream.getvalue().splitlines()]
