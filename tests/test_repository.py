"""What holds for the repository as a whole: sizes, names, mirrors, and that nothing of one machine leaks into it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "twinwall"
MODULES = sorted(SOURCE.rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "types"}
LONGEST = 400  # lines; a longer file says in its docstring why
DEEPEST = {"formats": 3}  # vendor packages; everything else lies two folders deep at most

# Where text may come from elsewhere: captures and vectors are data, and lock files hold nothing but names and hashes.
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".json", ".txt", ".rules", ".cfg", ""}
PUBLIC = re.compile(r"https?://([A-Za-z0-9.-]+)")
LEAKS = [
    re.compile(r"/(?:home|Users)/[a-z]\w*/"),
    re.compile(r"/work/(?:main|notes|shared)"),
    re.compile(r"\bfile://"),
    re.compile(r"(?:index|trusted|extra-index)[-_](?:url|host)\s*[=:]", re.IGNORECASE),
    re.compile(r"^deb(?:-src)? (?:\[.*\] )?\w+://", re.MULTILINE),
]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    """Every file in the repository, or in the folder where there is no repository."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_has_a_docstring_and_a_readable_size(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring.strip(" ."), "says nothing about itself"
    lines = text.count("\n")
    assert lines <= LONGEST or "lines" in docstring, f"{lines} lines, and its docstring does not say why"


def test_no_module_is_a_drawer() -> None:
    named = [relative(path) for path in MODULES if {path.stem, *path.relative_to(SOURCE).parts} & DRAWERS]
    assert named == []


def test_folders_are_shallow() -> None:
    for folder in {path.parent for path in MODULES}:
        depth = len(folder.relative_to(SOURCE).parts)
        if depth:
            assert depth <= DEEPEST.get(folder.relative_to(SOURCE).parts[0], 2), relative(folder)


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=relative)
def test_a_package_file_is_a_map_and_exports_only(path: Path) -> None:
    """A docstring, imports, `__all__`; at the top of the package also what imports a name when it is first used."""
    allowed: tuple[type[ast.stmt], ...] = (ast.Import, ast.ImportFrom)
    for node in ast.parse(path.read_text()).body[1:]:
        if isinstance(node, allowed):
            continue
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            continue
        if path.parent == SOURCE:
            assert isinstance(node, ast.Assign | ast.If | ast.FunctionDef), ast.unparse(node)
            continue
        pytest.fail(f"{relative(path)}:{node.lineno}: code in a package file: {ast.unparse(node)[:80]}")


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=relative)
def test_a_module_is_tested_where_one_looks_for_it(path: Path) -> None:
    """By the file that mirrors it, or by name in a test of its package."""
    place = path.relative_to(SOURCE)
    folder = ROOT / "tests" / place.parent
    if (folder / f"test_{place.name}").exists():
        return
    package = ".".join(["twinwall", *place.parent.parts])
    by_name = re.compile(rf"{re.escape(package)}\.{path.stem}\b|from {re.escape(package)} import [^)]*?\b{path.stem}\b")
    near = list((ROOT / "tests" / place.parts[0]).rglob("test_*.py")) if len(place.parts) > 1 else []
    near += (ROOT / "tests").glob("test_*.py")
    assert any(by_name.search(test.read_text()) for test in near), f"no test_{place.name}, and no test of {package} names it"


def test_nothing_of_a_machine_is_in_the_repository() -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXT or path == Path(__file__).resolve():
            continue
        text = path.read_text(errors="replace")
        found += [f"{relative(path)}: {match[0]}" for leak in LEAKS for match in leak.finditer(text)]
    assert found == []


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_lock_files_pin_everything_the_project_asks_for_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name, wanted in {
        "requirements.lock": project["project"]["dependencies"] + project["build-system"]["requires"],
        "requirements-dev.lock": project["project"]["dependencies"] + project["dependency-groups"]["dev"],
        "requirements-fuzz.lock": project["dependency-groups"]["fuzz"],
    }.items():
        text = (ROOT / name).read_text()
        assert not PUBLIC.search(text), f"{name} names a host"
        pinned = {normal(name) for name in re.findall(r"^([a-z0-9.-]+)==", text, re.MULTILINE)}
        assert {normal(re.split(r"[<>=~!\[; ]", line)[0]) for line in wanted} <= pinned
        entries = re.split(r"^(?=[a-z0-9.-]+==)", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in entry for entry in entries)


def test_the_larger_lock_agrees_with_the_smaller() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    development = pins("requirements-dev.lock")
    assert {name: development.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")


def test_the_import_contract_holds() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["check", "examples/office/policy.yaml"],
                                       ["explain", "examples/office/policy.yaml", "tcp 10.20.0.10:40000 > 198.51.100.7:80 S"]],
                         ids=lambda words: words[0])  # fmt: skip
def test_quick_commands_do_not_load_the_compiler(arguments: list[str]) -> None:
    probe = (
        "import sys\nfrom twinwall.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    status = end.code\n"
        "assert not status, status\n"
        "loaded = {'numba', 'llvmlite'} & set(sys.modules)\nassert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", probe, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
