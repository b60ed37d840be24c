"""The thin edge: files and folders → texts → `read_aws`.  The only place of this package that touches the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.aws.reader import AwsReading, examine_aws
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span

MAX_FILE = 64 * 1024 * 1024  # a rule group of 2 MB with every character escaped is below 13 MB
EMPTY_FOLDER = "a folder is read as an AWS export; a YAML policy or a .rules file is named itself"


def load_aws(paths: Sequence[Path], options: AwsOptions) -> AwsReading:
    """Read files, and the `.json` files of folders, as one export.

    Raises `PolicyError` with every diagnostic if any of them is an error; warnings come back in the reading.
    """
    files, unreadable = read_export_files(paths)
    if unreadable and not files:
        raise PolicyError(tuple(unreadable))
    reading = examine_aws(files, options)
    diagnostics = (*unreadable, *reading.diagnostics)
    if any(each.severity is Severity.ERROR for each in diagnostics):
        raise PolicyError(diagnostics)
    return reading


def read_export_files(paths: Sequence[Path]) -> tuple[list[tuple[str, str]], list[Diagnostic]]:
    """Read (name, text) of each file, in the order given and folders by name; what cannot be read is diagnosed."""
    files: list[tuple[str, str]] = []
    problems: list[Diagnostic] = []
    for path in paths:
        try:
            members = _expand(path)
            if not members:
                problems.append(
                    Code.NO_POLICY.diagnostic(Span(str(path), 1, 1), "the folder holds no .json file", EMPTY_FOLDER)
                )
            for each in members:
                text = _read(each, problems)
                if text is not None:
                    files.append((str(each), text))
        except OSError as error:
            cause = error.strerror or str(error)
            problems.append(Code.UNREADABLE.diagnostic(Span(str(path), 1, 1), f"cannot be read: {cause}"))
    return files, problems


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(each for each in path.iterdir() if each.suffix.lower() == ".json" and each.is_file())
    return [path]


def _read(path: Path, problems: list[Diagnostic]) -> str | None:
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        problems.append(Code.UNREADABLE.diagnostic(Span(str(path), 1, 1), f"larger than {MAX_FILE} bytes"))
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        problems.append(Code.ENCODING.diagnostic(Span(str(path), line, column), "not UTF-8 text"))
        return None
