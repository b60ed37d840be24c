"""Write the pages of docs/ that are printed from the code; `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from twinwall.cli.manual import command_line_page
from twinwall.rules.manual import GENERATED, diagnostics_page, keywords_page, options_reference

DOCS = Path(__file__).resolve().parent.parent / "docs"


def policy_file_page() -> str:
    """The page as it stands, with the reference of keys behind it renewed."""
    written = (DOCS / "policy-file.md").read_text().partition(GENERATED)[0]
    return f"{written}{GENERATED}\n\n{options_reference()}"


PAGES = {
    "rule-keywords.md": keywords_page,
    "diagnostics.md": diagnostics_page,
    "command-line.md": command_line_page,
    "policy-file.md": policy_file_page,
}


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
