"""Nothing but ``data/platform`` knows the host's tables: neither their names nor their JSON.

The demo makes the tables, and so knows them; nothing else does.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest

from data.platform import schema
from data.platform.copies import EXECUTIONS, copied_columns
from data.platform.executions import Executions
from data.platform.readiness import BROUGHT, COST_JSON, LEDGER, OWNERS, SESSIONS, SIGN_IN
from data.sums.rollup.tables import metadata as rollup

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("app.py", "commands", "components", "data", "settings", "web")
COPIED: Final = {column.name for column in copied_columns(EXECUTIONS)}
TOLD: Final = {*(field.name for field in fields(Executions)), *COPIED, "name"}
OF_ROLLUP: Final = {column.name for table in rollup.tables.values() for column in table.c}
READ: Final = [LEDGER, SIGN_IN, SESSIONS, OWNERS, COST_JSON, *BROUGHT.values()]
COLUMNS: Final = {
    *(column.name for table in schema.metadata.tables.values() for column in table.c),
    *(column for tables in READ for columns in tables.values() for column in columns),
} - TOLD
TABLES: Final = {*schema.metadata.tables, *(table for tables in READ for table in tables)}
TABLES_ALONE: Final = {name.strip('"') for name in TABLES} - {"workspace"}
# Those that are a word of their own; user, name or key are anybody's, but in SQL.
DISTINCT: Final = {name for name in COLUMNS | TABLES_ALONE if "_" in name}
SQL: Final = re.compile(r"\b(SELECT|FROM|WHERE|JOIN|UPDATE|DELETE)\b")
PRIVATE: Final = {
    f"data.platform.{name}" for name in ("schema", "cost_columns", "cost_json", "cost_sql")
}
OPERATORS: Final = re.compile(r"->|#>|@>|jsonb", re.IGNORECASE)


def modules() -> list[Path]:
    found = [
        path
        for room in ROOMS
        for path in ([ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py")))
    ]
    return [path for path in found if not path.is_relative_to(ROOT / "data" / "platform")]


def texts_in(tree: ast.AST) -> Iterator[str]:
    """Return the strings of a module, but for its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for node in constants:
        if isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def columns_in(tree: ast.AST) -> Iterator[str]:
    """Return the columns that a module takes from a table, as in ``table.c.name``."""
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    for node in attributes:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "c":
            yield node.attr


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Return what a module imports, in either form."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _takes_rows(node: ast.AST) -> bool:
    """Tell whether a column is taken behind the relation's back, as in ``executions.rows.c.x``."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "c"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "rows"
    )


def known_by(source: str) -> set[str]:
    """Return what a module knows of the host's tables."""
    tree = ast.parse(source)
    texts = list(texts_in(tree))
    named = {word for text in texts for word in re.findall(r"\w+", text)} & DISTINCT
    statements = [text for text in texts if SQL.search(text)]
    words = {word for text in statements for word in re.findall(r"\w+", text)}
    named |= words & ((COLUMNS | TABLES_ALONE) - OF_ROLLUP)
    read = {found.group() for text in texts for found in OPERATORS.finditer(text)}
    imported = set(imports_of(tree)) & PRIVATE
    behind = {"rows.c" for node in ast.walk(tree) if _takes_rows(node)}
    return named | read | imported | behind | ((set(columns_in(tree)) - OF_ROLLUP) & COLUMNS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_room_names_a_table_or_a_column_of_the_hosts_or_reads_its_json(
    path: Path,
) -> None:
    assert known_by(path.read_text()) == set()


def test_what_is_looked_for_would_be_found() -> None:
    assert {"workflow_execution_logs", "current_usage_limit", "archived_at"} <= DISTINCT
    assert known_by("from data.platform.schema import x\n") == {"data.platform.schema"}
    assert known_by("sql = \"SELECT cost -> 'total' FROM workflow_execution_logs\"") == {
        "->",
        "workflow_execution_logs",
    }
    assert known_by("select(user.c.email)") == {"email"}
    assert known_by('sql = "SELECT level, email FROM permissions, member, session"') == {
        *("level", "email", "permissions", "member", "session")
    }
    assert known_by('select(executions.rows.c.cost["total"].astext)') == {"rows.c"}
    assert known_by("from data.platform import schema") == {"data.platform.schema"}
    assert known_by("import data.platform.cost_json") == {"data.platform.cost_json"}
    platform = (ROOT / "data" / "platform" / "access.py").read_text()
    assert "archived_at" in known_by(platform)
