import subprocess
import sys

# In a process of its own: the linter sets up logging for everybody.
LINT = "from importlinter.cli import lint_imports as lint; raise SystemExit(lint(no_cache=True))"


def test_imports_point_down_only() -> None:
    done = subprocess.run([sys.executable, "-c", LINT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
