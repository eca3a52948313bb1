"""One script of JsSIP and what it requires, for a page: CommonJS modules wrapped, and a `require` that finds them.

`scripts/install-test-packages` puts the modules of package-lock.json beside this file.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
_REQUIRE = re.compile(r"""\brequire\(\s*['"]([^'"]+)['"]\s*\)""")


def bundle(entry: str = "jssip", name: str = "JsSIP") -> str:
    """A script that defines `name`. FileNotFoundError when the modules are not installed."""
    modules: dict[str, tuple[int, str, dict[str, int]]] = {}
    _add(_main_of(HERE / "node_modules" / entry), modules)
    rows = [
        f"{number}:[function(module,exports,require){{{text}\n}},{json.dumps(targets)}]"
        for number, text, targets in modules.values()
    ]
    loader = (
        "const c={};const r=n=>{if(!c[n]){const o=c[n]={exports:{}};"
        "m[n][0].call(o.exports,o,o.exports,x=>r(m[n][1][x]));}return c[n].exports;};"
    )
    return f"window.{name}=(()=>{{const process={{env:{{}}}};const m={{{','.join(rows)}}};{loader}return r(0);}})();"


def _add(path: Path, modules: dict[str, tuple[int, str, dict[str, int]]]) -> int:
    key = str(path)
    if key in modules:
        return modules[key][0]
    number = len(modules)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        modules[key] = (number, f"module.exports={text}", {})
        return number
    targets: dict[str, int] = {}
    modules[key] = (number, text, targets)
    for wanted in dict.fromkeys(_REQUIRE.findall(text)):
        found = _find(path, wanted)
        if found is not None:
            targets[wanted] = _add(found, modules)
    return number


def _find(path: Path, wanted: str) -> Path | None:
    if not wanted.startswith("."):
        package = HERE / "node_modules" / wanted
        return _main_of(package) if package.is_dir() else None
    base = (path.parent / wanted).resolve()
    for candidate in (base, base.with_name(base.name + ".js"), base / "index.js", base.with_name(base.name + ".json")):
        if candidate.is_file():
            return candidate
    return None


def _main_of(package: Path) -> Path:
    described = json.loads((package / "package.json").read_text(encoding="utf-8"))
    main = described.get("browser", described.get("main", "index.js"))
    path = package / (main if isinstance(main, str) else described.get("main", "index.js"))
    if path.is_dir():
        return path / "index.js"
    return path if path.is_file() else path.with_name(path.name + ".js")
