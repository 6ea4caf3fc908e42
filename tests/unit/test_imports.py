import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
# In a process of its own: the linter sets up logging for everybody.
LINT = "from importlinter.cli import lint_imports as lint; raise SystemExit(lint(no_cache=True))"


def test_imports_point_down_only() -> None:
    done = subprocess.run([sys.executable, "-c", LINT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_module_of_the_product_or_of_the_benchmarks_is_longer_than_250_lines() -> None:
    rooms = ("commands", "components", "data", "demo", "settings", "web", "benchmarks")
    modules = [path for room in rooms for path in (TESTS.parent / room).rglob("*.py")]
    assert len(modules) > 100
    assert [path for path in modules if len(path.read_text().splitlines()) > 250] == []


def imported_by(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{each.name}" for each in node.names)


def test_tests_share_what_is_in_support_and_nothing_of_each_other() -> None:
    shared = ("tests.support.", "tests.conftest.")
    found = {
        (module.name, name)
        for module in TESTS.rglob("*.py")
        for name in imported_by(module)
        if name.startswith((".", "tests.")) and not name.startswith(shared)
    }
    assert found == set()
