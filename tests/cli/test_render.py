"""`twinwall render`: the ruleset as text; what cannot be enforced is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.running import ROOT, modules_after, twinwall, write_policy
from tests.oracle.kernel import why_unavailable
from twinwall.cli.exit_codes import ExitCode

ATTACHED = ("--inside", "lo", "--outside", "wan0")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return write_policy(tmp_path / "p.yaml", "pass tcp 10.0.0.0/8 any -> any 443 (sid:7;)")


def test_it_prints_a_transaction_on_our_tables_alone(policy, capsys):
    assert twinwall("render", policy, *ATTACHED) == ExitCode.FINE
    text = capsys.readouterr().out
    tables = {line.split("{")[0].strip() for line in text.splitlines() if line.startswith(("table", "delete", "add"))}
    assert all("twinwall" in table for table in tables)
    assert 'comment "sid 7"' in text


def test_it_is_the_same_every_time(policy, capsys):
    twinwall("render", policy, *ATTACHED)
    first = capsys.readouterr().out
    twinwall("render", policy, *ATTACHED)
    assert capsys.readouterr().out == first


@pytest.mark.kernel
@pytest.mark.parametrize("stateless", ["xdp", "nft"])
@pytest.mark.parametrize("mode", ["gateway", "host"])
def test_nft_takes_it(policy, capsys, stateless, mode):
    if why_unavailable():
        pytest.skip(why_unavailable())
    assert twinwall("render", policy, "--inside", "lo", "--mode", mode, "--stateless", stateless, "--generation", 2) == 0
    done = subprocess.run(
        ["unshare", "--net", "nft", "-c", "-f", "-"], input=capsys.readouterr().out, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_nftables_cannot_look_behind_is_dropped_before_any_rule(policy, capsys):
    twinwall("render", policy, *ATTACHED)
    judge = capsys.readouterr().out.split("chain judge {")[1].split("\n\t}\n")[0]
    assert "meta nfproto ipv6 meta l4proto 51 counter name drop_behind_ah drop" in judge
    assert judge.index("drop_behind_ah") < judge.index("ct state vmap")


def test_without_interfaces_it_says_how_to_name_them(policy, capsys):
    assert twinwall("render", policy) == ExitCode.POLICY
    assert "error[not-enforceable]: the policy does not say where to enforce it" in capsys.readouterr().err


def test_an_export_is_rendered_where_the_options_say(capsys):
    export = ROOT / "examples" / "aws"
    assert twinwall("render", export, *ATTACHED, "--home-net", "10.20.0.0/16") == ExitCode.FINE
    assert 'oifname { "lo", "wan0" }' in capsys.readouterr().out


def test_a_mistake_in_the_policy_is_reported(tmp_path, capsys):
    assert twinwall("render", write_policy(tmp_path / "p.yaml", "pass tcp any any -> any 70000 (sid:1;)"), *ATTACHED) == 3
    assert "bad-port" in capsys.readouterr().err


def test_the_settings(policy, capsys):
    assert twinwall("render", policy, *ATTACHED, "--settings") == ExitCode.FINE
    assert "# timeouts.udp\nnet.netfilter.nf_conntrack_udp_timeout = 30\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [("--generation", "8"), ("--stateless", "ebpf"), ("--inside", "a-name-far-too-long-for-linux")]
)
def test_a_wrong_option(policy, wrong):
    assert twinwall("render", policy, *wrong) == ExitCode.USAGE


def test_help_imports_no_renderer():
    assert "twinwall.render.ruleset" not in modules_after("render", "--help")
