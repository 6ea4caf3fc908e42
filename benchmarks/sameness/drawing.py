"""What questions are made of, drawn at random: who asks, which window, which filters."""

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from benchmarks.sameness.question import Facts, Params, Question

PRESETS: Final = ("1d", "7d", "30d", "mtd", "last_month")
FILTERS: Final = ("workflow", "model", "trigger", "type", "status", "q", "min_cost_usd")
_MAIN: Final = "payer"
_OFFSETS: Final = (0, 0, 2, -5, 5.75)  # hours


class Drawing:
    """Draws parts of questions; ``asked`` are the questions that there are."""

    def __init__(self, rng: Random, facts: Facts) -> None:
        self.rng, self.facts = rng, facts
        self.asked: list[Question] = []

    def chance(self, share: float) -> bool:
        """Return True in this share of all cases."""
        return self.rng.random() < share

    def earlier(self, kind: str) -> int | None:
        """Return the number of an earlier question of this kind, most often a late one."""
        numbers = [number for number, one in enumerate(self.asked) if one.kind == kind]
        if not numbers:
            return None
        return self.rng.choice(numbers[-3:] if self.chance(0.6) else numbers)

    def who(self) -> tuple[str, str]:
        """Return who asks, and about which workspace: mostly one that he may see."""
        viewer = _MAIN if self.chance(0.75) else self.rng.choice(list(self.facts.viewers))
        seen = self.facts.workspaces.get(viewer, [])
        if seen and self.chance(0.95):
            full = [one for one in seen if self.facts.rows[one]]
            return viewer, self.rng.choice(full if full and self.chance(0.93) else seen)
        return viewer, self.rng.choice(list(self.facts.rows))

    def row(self, workspace: str) -> dict[str, Any]:
        """Return a row of the workspace, or of another one where it has none."""
        rows = self.facts.rows.get(workspace)
        return self.rng.choice(rows or [row for some in self.facts.rows.values() for row in some])

    def window(self) -> Params:
        """Return the parameters of a window; there may be none."""
        form = self.rng.choice(("none", "preset", "preset", "preset", "days", "instants", "long"))
        if form == "none":
            return ()
        if form == "preset":
            return (("preset", self.rng.choice(PRESETS)),)
        return self.days() if form == "days" else self.instants(long=form == "long")

    def days(self) -> Params:
        """Return a window of whole days."""
        first = self._instant()
        last = first + timedelta(days=self.rng.choice((0, 0, 1, 6, 30, 31, 90, 200, 1000)))
        return (("from", f"{first:%Y-%m-%d}"), ("to", f"{last:%Y-%m-%d}"))

    def instants(self, *, long: bool = False) -> Params:
        """Return a window between two instants, of minutes to months or of years."""
        first = self._instant()
        span = timedelta(seconds=self.rng.choice((1, 900, 7200, 86400, 250_000, 5_000_000)))
        if long:
            first, span = first.replace(year=self.rng.choice((1970, 1999, 2024))), span * 400
        return (("from", self._written(first)), ("to", self._written(first + span)))

    def filters(self, workspace: str) -> Params:
        """Return the parameters of filters; there may be none."""
        names = self.rng.sample(FILTERS, self.rng.choice((0, 0, 0, 1, 1, 1, 2, 3)))
        return tuple(one for name in names for one in self.filter(name, workspace))

    def filter(self, name: str, workspace: str) -> Params:
        """Return one filter's parameters with values of the workspace's rows."""
        if name == "q":
            return ((name, self._text(workspace)),)
        if name == "min_cost_usd":
            known = self.row(workspace)["cost_usd"] or "0.01"
            return ((name, self.rng.choice((known, known, "0", "0.5", "1000"))),)
        count = self.rng.choice((1, 1, 1, 2, 3))
        return tuple((name, self._value(name, workspace)) for _ in range(count))

    def _value(self, name: str, workspace: str) -> str:
        row = self.row(workspace)
        if self.chance(0.04):
            return (
                self.rng.choice(("nothing", "ö 日本", "a,b", "100%"))
                if name != "type"
                else "included"
            )
        if name == "workflow":
            return row["workflow"]["id"] or "deleted"
        found = row["model"] or "none" if name == "model" else row[name]
        return str(found)

    def _text(self, workspace: str) -> str:
        row = self.row(workspace)
        text = self.rng.choice((row["workflow"]["name"], row["execution_id"]))
        start = self.rng.randrange(len(text))
        piece = text[start : start + self.rng.choice((1, 3, 8))]
        return self.rng.choice((piece, piece.upper(), piece.lower(), "%", "_", "\\", "nothing"))

    def _instant(self) -> datetime:
        back = self.rng.choice((0, 1, 5, 20, 45, 90, 130)) * self.rng.random()
        found = self.facts.instant - timedelta(days=back)
        return found.replace(microsecond=0) if self.chance(0.5) else found

    def _written(self, instant: datetime) -> str:
        zone = timezone(timedelta(hours=self.rng.choice(_OFFSETS)))
        if zone == UTC and self.chance(0.7):
            return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        return instant.astimezone(zone).isoformat()
