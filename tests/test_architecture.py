"""Covers ARCHITECTURE §2: who imports whom, lazy imports included, and that each package says what it is.

Does not cover imports by name at run time (importlib), of which there are none.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

EVERYTHING = {
    "model",
    "sip",
    "rtp",
    "media",
    "acd",
    "ivr",
    "speech",
    "dialer",
    "storage",
    "crm",
    "reports",
    "control",
    "web",
    "switch",
}
MAY_IMPORT = {
    "model": set(),
    "sip": set(),
    "rtp": set(),
    "media": {"rtp", "model"},
    "acd": {"model"},
    "ivr": {"model"},
    "speech": {"model"},
    "dialer": {"model"},
    "storage": {"model"},
    "crm": {"model", "storage"},
    "reports": {"model", "storage"},
    "control": {"model"},
    "web": {"model", "storage", "crm", "reports", "control"},
    "switch": EVERYTHING,
    "benchmarks": EVERYTHING | {"tests"},
}
OURS = EVERYTHING | {"benchmarks", "tests"}
NOT_IN_PURE_CODE = {"asyncio", "socket", "time", "random", "threading", "secrets"}
"""A protocol machine gets the time, randomness and what came over the network as arguments."""


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module named by an import statement, wherever it stands in the file."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            found.add(".".join(part for part in (base, node.module or "") if part))
    return found


FOLDERS = [folder for folder in MAY_IMPORT if (ROOT / folder).is_dir()]
PACKAGES = sorted(path.parent.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_imports_only_what_the_star_allows(folder: str) -> None:
    allowed = MAY_IMPORT[folder] | {folder}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in sorted(imported(path))
        if (top := name.split(".")[0]) in OURS and top not in allowed
    ]
    assert not wrong


def test_sip_outside_net_does_no_input_or_output() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("sip")
        if "net" not in path.relative_to(ROOT).parts
        for name in sorted(imported(path))
        if name.split(".")[0] in NOT_IN_PURE_CODE or name.startswith("sip.net")
    ]
    assert not wrong


def test_every_folder_is_in_the_table() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} <= MAY_IMPORT.keys()


def test_every_folder_with_code_is_a_package() -> None:
    wrong = {
        str(path.parent.relative_to(ROOT))
        for folder in FOLDERS
        for path in modules(folder)
        if not (path.parent / "__init__.py").exists()
        and path.parent.name != "migrations"
        and "migrations" not in path.parts
    }
    assert not wrong


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_package_says_what_it_is_in_15_lines_or_fewer(package: Path) -> None:
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    assert text, f"{package}/__init__.py has no docstring"
    assert len(text.splitlines()) <= 15


def test_no_possessive_groups() -> None:
    """Before 3.11.5 Python's `re` misplaces the end of a possessive group whose last try consumed something and failed
    (gh-106052); Debian 12 has 3.11.2. A possessive character class is safe."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.glob("[!.]*/**/*.py"))
        if "tests" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\)[*+?]\+", re.sub(r"\[[^\]]*(\\\][^\]]*)*\]", "C", line)) and re.search(r"""r[fb]?["']""", line)
    ]
    assert not found
