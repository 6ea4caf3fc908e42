"""What the figures should be, judged by the last figures of every section."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.section import milliseconds, times

# Figures by section and name: ``figures["load"]["1/p99"]``.
Figures = Mapping[str, Mapping[str, float]]

_SMALL, _LARGE = "endpoints-10000-with", "endpoints-10000000-with"
_LARGE_WITHOUT: Final = "endpoints-10000000-without"
_SUM: Final = "one sum over the month/without/p50"
# Well before a statement is given up.
_EARLY_SECONDS: Final = 5.0
_MIDDLE: Final = "endpoints-1000000-with"
_SLOW: Final = {
    "slow, a file of 10,000 rows": "7 slow readers of a file",
    "slow, a file of 200 MB": "7 slow readers of 200 MB",
    "dribble": "90 clients that dribble a header",
}
_GROWING: Final = ("page, first", "page, middle", "page, last", "callback, preset click", "summary")


# Why a target is missed where it is, by how the target begins.
_REASONS: Final = {
    "without it": "Without the rollup a page counts its window and adds up the month until the "
    "Crossing; who asks first searches the whole month for it. At ten million that takes longer "
    "than the 10 s that a statement may take, and the answer is a 503. The rollup is for this.",
    "with the rollup, page, first": "The first endpoint that is asked after the rollup was put in; "
    "the middle and the last page do the same work.",
    "at 10 million with the rollup": "Who asks first at a burst sums a minute of executions by "
    "second. Where they were grouped for that, they were sorted; now each second is summed by "
    "itself, which a test asserts at 120,000 executions.",
    "export": "The file is written by Python from a cursor that is read in batches, so that a slow "
    "client does not run into a statement's time; psql writes what PostgreSQL has formatted.",
    "8 writers": "Each of the four statements copies what counts of the row before and after.",
}


@dataclass(frozen=True)
class Verdict:
    """One target; ``met`` is None where its figures have not been measured."""

    target: str
    measured: str
    met: bool | None

    @property
    def reason(self) -> str:
        """Why it was missed, where that is known."""
        known = (why for start, why in _REASONS.items() if self.target.startswith(start))
        return next(known, "") if self.met is False else ""


def verdicts(figures: Figures) -> list[Verdict]:
    """Judge every target."""
    return [
        *(_grows_little(endpoint, figures) for endpoint in _GROWING),
        *(_is_one_sum(endpoint, figures) for endpoint in _GROWING),
        _verdict(
            "list: at least 1.5 × the pages in a second of Datasette that counts its rows too",
            _beats_datasette,
            figures,
        ),
        _verdict("export of 10,000 rows: at most 2.5 × \\copy", _near_copy, figures),
        _verdict("plain Dash at 1 million: at least 50 × as long per click", _beats_plain, figures),
        *(_under_load(workers, figures) for workers in (1, 2)),
        _verdict(
            "at 10 million with the rollup: no sequential scan, no large sort", _plans, figures
        ),
        _verdict("8 writers: at most 25 % fewer executions/s with the rollup", _writes, figures),
        *(_drawn_soon(split, figures) for split in ("type", "workflow", "model")),
        _verdict("first visit, compressed: under 1.1 MB", _light, figures),
        *(_is_answered_beside(attack, words, figures) for attack, words in _SLOW.items()),
        _verdict("clients that dribble a header: closed within 15 s", _dribblers_leave, figures),
        _verdict("a stopped database: every request a 503 within 15 s", _stopped, figures),
        _verdict("clients that leave: memory within 5 %, files and sessions flat", _flat, figures),
    ]


def _verdict(
    target: str, judge: Callable[[Figures], tuple[str, bool]], figures: Figures
) -> Verdict:
    try:
        measured, met = judge(figures)
    except KeyError:
        return Verdict(target, "", None)
    return Verdict(target, measured, met)


def _grows_little(endpoint: str, figures: Figures) -> Verdict:
    def judge(figures: Figures) -> tuple[str, bool]:
        name = f"{endpoint}/with/p50"
        small, large = figures[_SMALL][name], figures[_LARGE][name]
        answered = figures[_LARGE][f"{endpoint}/with/failed"] == 0
        words = f"{milliseconds(large)} ms, {times(large / small)}"
        return words, answered and large <= 1.5 * small

    target = f"with the rollup, {endpoint}: at 10 million at most 1.5 × what it is at 10 thousand"
    return _verdict(target, judge, figures)


def _is_one_sum(endpoint: str, figures: Figures) -> Verdict:
    def judge(figures: Figures) -> tuple[str, bool]:
        large = figures[_LARGE_WITHOUT]
        seen, once = large[f"{endpoint}/without/p50"], large[_SUM]
        answered = large[f"{endpoint}/without/failed"] == 0
        words = f"{milliseconds(seen)} ms, {times(seen / once)}"
        return words if answered else f"{words}, not answered", answered and seen <= once

    target = f"without it, {endpoint}: at 10 million at most one indexed sum over the month"
    return _verdict(target, judge, figures)


def _beats_datasette(figures: Figures) -> tuple[str, bool]:
    rates = figures["throughput"]
    ours = rates["Usage Ledger/throughput"]
    ratios = {
        name.removesuffix("/throughput"): ours / rate
        for name, rate in rates.items()
        if name.startswith("Datasette") and rate
    }
    words = "; ".join(f"{name}: {times(ratio)}" for name, ratio in ratios.items())
    # The fastest that says what the product says: the rows and their number.
    return words, ratios["Datasette, no facet suggestions"] >= 1.5


def _near_copy(figures: Figures) -> tuple[str, bool]:
    peers = figures["peers"]
    what = "file of 10,000 rows"
    ratio = peers[f"{what}/Usage Ledger/p50"] / peers[f"{what}/\\copy in psql/p50"]
    return times(ratio), ratio <= 2.5


def _beats_plain(figures: Figures) -> tuple[str, bool]:
    peers = figures["peers"]
    if peers["executions"] != 1_000_000:
        raise KeyError("measured at another size")
    what = "a click on a preset"
    ratio = peers[f"{what}/plain Dash/p50"] / peers[f"{what}/Usage Ledger/p50"]
    return times(ratio), ratio >= 50


def _under_load(workers: int, figures: Figures) -> Verdict:
    def judge(figures: Figures) -> tuple[str, bool]:
        load = figures["load"]
        spread = load[f"{workers}/p99"] / load[f"{workers}/p50"]
        growth = load[f"{workers}/memory after"] / load[f"{workers}/memory before"] - 1
        errors = int(load[f"{workers}/errors"])
        early = not load[f"{workers}/refused"] or load[f"{workers}/longest"] < _EARLY_SECONDS
        words = (
            f"{errors} errors, {int(load[f'{workers}/refused'])} × 503, the longest answer "
            f"{milliseconds(load[f'{workers}/longest'])} ms, p99 {times(spread)} p50, "
            f"memory {growth:+.1%}"
        )
        return words, errors == 0 and early and spread < 10 and abs(growth) <= 0.1

    name = "one worker" if workers == 1 else "two workers"
    target = f"64 clients, {name}: no error but early 503s, p99 < 10 × p50, memory within 10 %"
    return _verdict(target, judge, figures)


def _plans(figures: Figures) -> tuple[str, bool]:
    found = [
        count
        for name, count in figures[_LARGE].items()
        if name.endswith("/with/violations") and not name.startswith("one sum")
    ]
    if not found:
        raise KeyError("not measured with the rollup")
    return f"{int(sum(found))} found in {len(found)} endpoints", sum(found) == 0


def _writes(figures: Figures) -> tuple[str, bool]:
    writes = figures["writes"]
    change = writes["with/throughput"] / writes["without/throughput"] - 1
    return f"{change:+.1%}", change >= -0.25


def _drawn_soon(split: str, figures: Figures) -> Verdict:
    def judge(figures: Figures) -> tuple[str, bool]:
        endpoint = f"figures, by {split}/with"
        seen = figures[_MIDDLE][f"{endpoint}/p50"]
        return f"{milliseconds(seen)} ms", not figures[_MIDDLE][
            f"{endpoint}/failed"
        ] and seen < 0.150

    return _verdict(
        f"figures by {split} at 1 million with the rollup: under 150 ms", judge, figures
    )


def _light(figures: Figures) -> tuple[str, bool]:
    sent = sum(
        size for name, size in figures["browser"].items() if name.startswith("first visit/bytes/")
    )
    return f"{sent / 1e6:.2f} MB", sent < 1.1e6


def _is_answered_beside(attack: str, words: str, figures: Figures) -> Verdict:
    def judge(figures: Figures) -> tuple[str, bool]:
        attacks = figures["attacks"]
        ratio = attacks[f"{attack}/p95 ratio"]
        failed = int(attacks[f"{attack}/refused"] + attacks[f"{attack}/errors"])
        return f"p95 {times(ratio)} idle, {failed} not answered", failed == 0 and ratio <= 3

    target = f"{words}: the lists of others are answered, p95 at most 3 × idle"
    return _verdict(target, judge, figures)


def _dribblers_leave(figures: Figures) -> tuple[str, bool]:
    seconds = figures["attacks"]["dribble/closed after"]
    return f"{seconds:.1f} s", seconds <= 15


def _stopped(figures: Figures) -> tuple[str, bool]:
    attacks = figures["attacks"]
    longest, after = attacks["stopped/longest"], attacks["stopped/after"]
    right = attacks["stopped/503"] == attacks["stopped/asked"] and after == 200
    return f"the last after {longest:.1f} s", right and longest <= 15


def _flat(figures: Figures) -> tuple[str, bool]:
    attacks = figures["attacks"]
    growth, files = attacks["aborted/growth"], int(attacks["aborted/files"])
    sessions = int(attacks["aborted/sessions"])
    words = f"memory {growth:+.1%}, files {files:+d}, sessions {sessions:+d}"
    return words, growth <= 0.05 and files <= 5 and sessions <= 0
