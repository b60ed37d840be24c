"""docs/enforcement-speed.md: what was measured as a page."""

from __future__ import annotations

import datetime

from bench.kernel.change import Reloads
from bench.kernel.drop import FORMS, OURS, SETS, Drops
from bench.kernel.forward import FORMS as WAYS
from bench.kernel.forward import NEW_SIZES, Forwarding
from bench.kernel.page import lines, page
from bench.kernel.rulesets import SIZES


def measured(ours: float, lost: int) -> tuple[Drops, Forwarding, tuple[float, float], Reloads]:
    drops = Drops({(form, size): [100.0, 1000.0, 1000.0] for form in FORMS for size in SIZES})
    drops.samples |= {(OURS, size): [ours] for size in SIZES}
    ways = {way: [1000.0] for way in WAYS}
    forwarding = Forwarding(ways, {way: [5.0] for way in WAYS}, {size: [2000.0] for size in NEW_SIZES})
    return drops, forwarding, (1.5, 6.0), Reloads(5000, lost, 0, 0.125)


def test_aims_are_judged_by_medians_and_ratios():
    met = {line.what: line.met for line in lines(*measured(200.0, 0))}
    assert met.pop("`apply` of a set of 100,000 addresses") is False
    assert all(met.values())
    missed = {line.what for line in lines(*measured(201.0, 1)) if not line.met}
    assert any("nft with one set" in what for what in missed)
    assert "packets lost in 100 reloads" in missed


def test_the_page_has_every_form_and_says_when():
    text = page(*measured(150.0, 0), facts=["Machine: one"], today=datetime.date(2026, 7, 1))
    assert "- Date: 2026-07-01" in text
    assert "- Machine: one" in text
    for form in (*FORMS, *WAYS):
        assert f"| {form} |" in text
    assert "| `apply` of 10,000 rules | 1.5 s | ≤ 2 s | met |" in text
    assert f"| {SETS} | 1,000 |" in text
