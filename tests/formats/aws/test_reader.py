"""The example exports: what each becomes, or exactly which mistakes it has.

`vectors/aws/NAME/` holds the files of an export and `expect.json`: what must come out of it.
"""

import json
from pathlib import Path

import pytest

from twinwall.formats.aws.load import read_export_files
from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.aws.reader import examine_aws, read_aws

VECTORS = Path(__file__).parents[3] / "vectors" / "aws"
NAMES = sorted(path.name for path in VECTORS.iterdir() if path.is_dir())


def load(name):
    folder = VECTORS / name
    files, problems = read_export_files([folder / "export"])
    assert problems == []
    expected = json.loads((folder / "expect.json").read_text())
    given = expected.get("options", {})
    references = {key: tuple(values) for key, values in given.get("references", {}).items()}
    return files, AwsOptions(home_net=tuple(given.get("home_net", ())), references=references), expected


def described(policy):
    return {
        "name": policy.name,
        "stateless": [f"{rule.group}/{rule.sid} {rule.action.value}" for rule in policy.stateless.rules],
        "default": policy.stateless.default.value,
        "fragments": policy.stateless.fragments.value,
        "stateful": [f"{rule.group}/{rule.sid} {rule.action.value} {rule.type.value}" for rule in policy.stateful.rules],
        "order": policy.stateful.order.value,
        "defaults": [each.value for each in policy.stateful.default],
        "midstream": policy.stateful.midstream.value,
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_vector(name):
    files, options, expected = load(name)
    reading = examine_aws(files, options)
    found = [f"{Path(each.span.file).name}:{each.span.line} {each.severity.value} {each.code}" for each in reading.diagnostics]
    assert sorted(found) == sorted(expected["diagnostics"])
    assert (described(reading.policy) if reading.policy else None) == expected["policy"]
    assert expected["catches"]


def test_no_vector_is_stray():
    assert NAMES
    for folder in VECTORS.iterdir():
        assert sorted(path.name for path in folder.iterdir()) == ["expect.json", "export"]


def test_read_aws_is_examine_aws_without_the_report():
    files, options, _ = load(NAMES[0])
    reading = examine_aws(files, options)
    assert read_aws(files, options) == (reading.policy, reading.diagnostics)
