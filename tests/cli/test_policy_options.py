from __future__ import annotations

import click
import pytest

from tests.cli.running import twinwall, write_policy
from twinwall.cli.policy_options import aws_options, read_reported


def test_what_an_export_leaves_out():
    options = aws_options(("10.0.0.0/16",), ("servers=10.0.0.1/32,10.0.0.2/32", "empty=::/0"))
    assert tuple(options.home_net) == ("10.0.0.0/16",)
    assert dict(options.references) == {"servers": ("10.0.0.1/32", "10.0.0.2/32"), "empty": ("::/0",)}


@pytest.mark.parametrize("reference", ["servers", "servers=", "=10.0.0.0/8"])
def test_a_reference_of_another_form(reference, tmp_path, capsys):
    with pytest.raises(click.BadParameter, match="NAME=CIDR"):
        aws_options((), (reference,))
    policy = write_policy(tmp_path / "p.yaml", "drop ip any any -> any any (sid:1;)")
    assert twinwall("explain", policy, "udp 10.0.0.5:1 > 10.0.0.6:2", "--reference", reference) == 2
    assert "--reference" in capsys.readouterr().err


def test_mistakes_go_where_errors_go(tmp_path, capsys):
    path = tmp_path / "p.yaml"
    path.write_text("twinwall: 1\nnonsense: 2\n")
    policy, reading = read_reported((str(path),), aws_options((), ()))
    assert policy is None
    assert len(reading.diagnostics) == 1
    assert f"{path}:2:1: error[unknown-key]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("home_net", "references"), [(("10.0.0.0/33",), ()), (("10.0.0.0/8,10.1.0.0/16",), ()), ((), ("a=x",))]
)
def test_what_is_no_cidr(home_net, references):
    with pytest.raises(click.BadParameter, match="CIDR"):
        aws_options(home_net, references)


def test_options_of_an_export_with_a_policy_that_is_none(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", "drop ip any any -> any any (sid:1;)")
    assert twinwall("explain", policy, "udp 10.0.0.5:1 > 10.0.0.6:2", "--home-net", "10.0.0.0/8") == 2
    assert "AWS exports" in capsys.readouterr().err
