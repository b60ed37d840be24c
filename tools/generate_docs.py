"""Write the pages of docs/ that are printed from the code; `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from twinwall.cli.manual import command_line_page
from twinwall.rules.manual import diagnostics_page, keywords_page

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = {"rule-keywords.md": keywords_page, "diagnostics.md": diagnostics_page, "command-line.md": command_line_page}


def main() -> int:
    """Write each page and say which changed."""
    for name, page in PAGES.items():
        path = DOCS / name
        text = page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"docs/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
