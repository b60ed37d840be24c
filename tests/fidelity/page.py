"""The section of docs/fidelity.md that a long run writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
SECTION = re.compile(r"(## The last run\n\n<!--[^\n]*-->\n).*?(?=\n## )", re.DOTALL)


def publish(where: str, rows: Iterable[tuple[str, str]], page: Path = PAGE) -> None:
    """Write the run's table, and on what it was made, into the page."""
    lines = "".join(f"| {name} | {value} |\n" for name, value in rows)
    text = page.read_text()
    written, count = SECTION.subn(lambda found: f"{found[1]}\n{where}\n\n| what | how many |\n|---|---|\n{lines}", text)
    if count != 1:
        raise ValueError(f"{page} has no section for the run")
    page.write_text(written)
