"""The registry of diagnostics."""

from __future__ import annotations

import re

from twinwall.policy.codes import Code


def test_every_code_is_a_stable_word_with_a_meaning():
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code.value) for code in Code)
    assert all(code.meaning.endswith(".") for code in Code)
    assert f"{Code.BAD_PORT}" == "bad-port"
