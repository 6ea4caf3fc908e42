"""The command: checks both commits out, asks both the same, tells what differs."""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg
from psycopg import sql

from benchmarks.sameness.comparing import Tally
from benchmarks.sameness.drawing import Drawing
from benchmarks.sameness.of_api import OfApi
from benchmarks.sameness.of_page import OfPage
from benchmarks.sameness.question import Facts, Params, Question
from benchmarks.sameness.side import Running, Side, checked_out
from benchmarks.seeded import seeded

_SEED: Final = 20_261_201
_HEADER: Final = "X-Usage-User"
_PROXY: Final = {"USAGE_PROXY_HEADER": _HEADER, "USAGE_PROXY_CIDRS": "127.0.0.1/32"}
_PORTAL: Final = {
    "USAGE_EMBED_SECRET": "of a portal that is only there to be compared",
    "USAGE_EMBED_ORIGINS": "https://portal.example",
}
_OWN_KEY, _WORKSPACE_KEY = "key-of-dana", "key-of-support"
_VIEWERS: Final[dict[str, dict[str, str]]] = {
    "payer": {_HEADER: "user_demo"},
    "payer by e-mail": {_HEADER: "dana@example.com"},
    "payer by key": {"X-API-Key": _OWN_KEY},
    "workspace's key": {"X-API-Key": _WORKSPACE_KEY},
    "research": {_HEADER: "user_research"},
    "partner": {_HEADER: "user_partner"},
    "founder": {_HEADER: "user_founder"},
    "stranger": {_HEADER: "nobody@example.com"},
    "wrong key": {"X-API-Key": "nothing"},
    "nobody": {},
}
_EVERY_WORKSPACE: Final = ("ws_support", "ws_finance", "ws_research", "ws_partner", "ws_pilot")


@dataclass(frozen=True)
class _Setup:
    """Settings to be asked under; without ``rollup`` it is taken out before."""

    name: str
    rollup: bool
    variables: Mapping[str, str] = field(default_factory=dict)


_ABROAD: Final = {
    "USAGE_TIMEZONE": "America/New_York",
    "USAGE_LIMIT_SCOPE": "workspace",
    "USAGE_APP_URL": "https://app.example",
}
_DEMO: Final = _Setup("demo", rollup=True)
_PLATFORM: Final = (
    _Setup("New York, by workspace, with the rollup", rollup=True, variables=_ABROAD),
    _Setup("New York, by workspace, without it", rollup=False, variables=_ABROAD),
    _Setup(
        "defaults, below a prefix and embedded, without it",
        rollup=False,
        variables={
            **_PORTAL,
            "USAGE_URL_PREFIX": "/ledger/",
            "USAGE_SPENDING_URL": "https://app.example/{workspace_id}/spending",
        },
    ),
)


def main() -> None:
    """Compare, print, and end with status 1 where something differs or proves nothing."""
    options = _options()
    # So that a request to end leaves no database behind, either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    begun = time.monotonic()
    dropped = re.compile("|".join(f"(?:{each})" for each in options.dropped).encode())
    tally = Tally(dict(each.split("=", 1) for each in options.renamed), dropped)
    with TemporaryDirectory(prefix="sameness-") as scratch, ExitStack() as stack:
        sides = _sides(Path(scratch), options)
        # Each holds its database as long as it runs, and asks nothing more of it.
        held = [stack.enter_context(side.running(**_PROXY)) for side in sides]
        facts = _facts(held[0], sides[0].now or datetime.now(UTC))
        share = options.questions // (1 + len(_PLATFORM))
        rng = seeded(options.seed)
        _compare(_DEMO, held, _questions(rng, facts, share), tally)
        for setup in _PLATFORM:
            with _served(sides, setup) as running:
                known = _with_portal(facts, sides[0], setup)
                prefix = setup.variables.get("USAGE_URL_PREFIX", "/")
                _compare(setup, running, _questions(rng, known, share, prefix), tally)
    sys.stdout.write(f"{tally.report()}\n\n{time.monotonic() - begun:.0f} s\n")
    if trouble := tally.trouble():
        sys.exit(trouble)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sameness")
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", nargs="?", help="a commit; left out: the working tree")
    parser.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW")
    parser.add_argument("--dropped", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--executions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=_SEED)
    return parser.parse_args()


def _sides(scratch: Path, options: argparse.Namespace) -> list[Side]:
    """Return both sides, each with a copy of the database that the first one has made."""
    before = Side(checked_out(options.before, scratch / "before"), scratch / "home-before")
    after = Side(checked_out(options.after, scratch / "after"), scratch / "home-after")
    before.command("seed", "--executions", str(options.executions))
    now = datetime.now(UTC)
    with before.running():
        _prepare(before.url, now)
    subprocess.run([shutil.which("cp") or "cp", "-a", before.home, after.home], check=True)
    return [replace(before, now=now), replace(after, now=now)]


def _prepare(url: str, now: datetime) -> None:
    """Let ``now()`` be one instant in the database, and let keys sign in."""
    function = sql.SQL(
        "CREATE FUNCTION fixed.now() RETURNS timestamptz LANGUAGE sql STABLE AS {}"
    ).format(sql.Literal(f"SELECT timestamptz '{now.isoformat()}'"))
    key = (
        "INSERT INTO api_key (id, user_id, name, key, workspace_id, type)"
        " VALUES (%s, 'user_demo', %s, %s, %s, %s)"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA fixed")
        connection.execute(function)
        connection.execute("GRANT USAGE ON SCHEMA fixed TO PUBLIC")
        connection.execute("ALTER DATABASE postgres SET search_path = fixed, public, pg_catalog")
        connection.execute(key, ["key_1", "own", _OWN_KEY, None, "personal"])
        connection.execute(key, ["key_2", "its", _WORKSPACE_KEY, "ws_support", "workspace"])


def _facts(running: Running, now: datetime) -> Facts:
    """Return what there is to ask about, as ``running`` tells it."""

    def data(path: str, headers: Mapping[str, str], params: Params = ()) -> list[dict[str, Any]]:
        answer = running.ask(Question("", f"/api/billing/{path}", headers, params), [])
        if path == "usage" and answer.at(["as_of"]) != f"{now:%Y-%m-%dT%H:%M:%S.%fZ}":
            raise RuntimeError(f"it is not {now}: {answer}")
        return answer.at(["data"]) or []

    workspaces: dict[str, list[str]] = {}
    rows: dict[str, list[dict[str, Any]]] = {each: [] for each in _EVERY_WORKSPACE}
    for viewer, headers in _VIEWERS.items():
        workspaces[viewer] = [each["id"] for each in data("workspaces", headers)]
        for workspace in workspaces[viewer]:
            if not rows.get(workspace):
                rows[workspace] = [
                    row
                    for preset in ("30d", "7d", "last_month")
                    for row in data(
                        "usage", headers, (("workspaceId", workspace), ("preset", preset))
                    )
                ]
    return Facts(now, _VIEWERS, workspaces, rows)


def _with_portal(facts: Facts, side: Side, setup: _Setup) -> Facts:
    """Return the facts with whom a portal names, where there is one; its token holds 10 minutes."""
    if "USAGE_EMBED_SECRET" not in setup.variables:
        return facts
    words = ("embed-token", "--user", "user_demo", "--workspace", "ws_support")
    token = side.command(*words, **_PORTAL).strip()
    viewers = {
        "portal": {"Authorization": f"Bearer {token}"},
        "wrong portal": {"Authorization": "Bearer of.no.token"},
    }
    seen = {**facts.workspaces, "portal": ["ws_support"]}
    return replace(facts, viewers={**facts.viewers, **viewers}, workspaces=seen)


@contextmanager
def _served(sides: list[Side], setup: _Setup) -> Iterator[list[Running]]:
    """Yield both sides under these settings, on databases that run already."""
    with ExitStack() as stack:
        running = []
        for side in sides:
            side.command("install" if setup.rollup else "uninstall", DATABASE_URL=side.url)
            variables = {**_PROXY, **setup.variables, "DATABASE_URL": side.url}
            running.append(stack.enter_context(side.running(**variables)))
        yield running


def _questions(rng: Random, facts: Facts, count: int, prefix: str = "/") -> list[Question]:
    """Draw so many questions, each kind at least once where there are enough."""
    parts = Drawing(rng, facts)
    kinds = OfApi(parts).weights | OfPage(parts, prefix).weights
    every = list(kinds) if count >= len(kinds) else []
    for drawn in every + rng.choices(list(kinds), list(kinds.values()), k=count - len(every)):
        parts.asked.append(drawn())
    return parts.asked


def _compare(setup: _Setup, sides: list[Running], asked: list[Question], tally: Tally) -> None:
    with ThreadPoolExecutor(len(sides)) as pool:
        before, after = pool.map(lambda side: side.ask_all(asked), sides)
    for number, question in enumerate(asked):
        tally.add(f"{setup.name}, {number}", question, before[number], after[number])


if __name__ == "__main__":
    main()
