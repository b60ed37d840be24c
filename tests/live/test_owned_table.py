"""Tables that go with their maker."""

from __future__ import annotations

import subprocess

import pytest

from tests.live.namespace import namespace
from twinwall.live.error import EnforcementError
from twinwall.live.owned_table import OwnedTables

pytestmark = pytest.mark.kernel
SCRIPT = "table inet mine {\n\tflags owner;\n\tchain c {\n\t\ttype filter hook input priority 0; policy accept;\n\t}\n}\n"


def nft(*words):
    return subprocess.run(["nft", *words], capture_output=True, text=True, check=False)


def test_it_is_there_until_it_is_left_and_nobody_else_may_change_it():
    with namespace() as made, made.entered():
        with OwnedTables(SCRIPT, "try") as tables:
            assert "mine" in nft("list", "tables").stdout
            assert "Operation not permitted" in nft("delete", "table", "inet", "mine").stderr
            assert nft("flush", "ruleset").returncode == 0
            assert "mine" in nft("list", "tables").stdout
            tables.close()
            assert nft("list", "tables").stdout == ""
        assert nft("list", "tables").stdout == ""


def test_a_refusal_says_what_nft_said():
    with namespace() as made, made.entered(), pytest.raises(EnforcementError, match=r"try: .*syntax error"):
        OwnedTables("table inet mine { nonsense }", "try")
