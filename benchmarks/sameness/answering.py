"""The answers of one checkout of the product, which runs in this process as it starts itself.

``benchmarks.sameness`` runs this file with the checkout as the current directory, settings in the
environment, and one argument: the instant (ISO 8601) that is "now". Each line of standard input is
a question as JSON: ``method``, ``path`` with its query, ``headers``, ``body`` (a text or null) and
``environ`` (of WSGI). Each line of standard output is its answer: ``status``, ``headers`` (those in
``KEPT`` alone) and ``body`` in base64. The process ends with its input.

Nothing of the product is imported by name: all that is known of it is that ``app.py serve`` gives
gunicorn an application to load.
"""

import json
import os
import runpy
import sys
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import IO, Any, Final

from gunicorn.app.base import BaseApplication
from werkzeug.test import Client

KEPT: Final = (
    "Content-Type",
    "Content-Disposition",
    "Cache-Control",
    "WWW-Authenticate",
    "Retry-After",
    "Content-Security-Policy",
    "Location",
    "Allow",
    "X-Export-Truncated",
    "X-Export-Row-Limit",
)


def main() -> None:
    """Start the product and answer until the input ends."""
    # What the product prints goes where its log goes.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    clock = clock_at(datetime.fromisoformat(sys.argv[1]))
    here = Path.cwd()

    def run(server: Any) -> None:
        stop_clocks(here, clock)
        application = server.load()
        stop_clocks(here, clock)  # also in what was imported meanwhile
        answer_all(application, answers)

    BaseApplication.run = run
    # Else this file's neighbours would stand before the modules of the product.
    sys.path[0] = str(here)
    sys.argv = ["app.py", "serve"]
    runpy.run_path("app.py", run_name="__main__")


def clock_at(instant: datetime) -> type[datetime]:
    """Return what stands in for the class datetime: as it is, but for what it says is now."""

    class Kind(type):
        def __instancecheck__(cls, one: object) -> bool:
            return isinstance(one, datetime)

    class Clock(datetime, metaclass=Kind):
        # So that there are none but datetimes, whoever looks at their class.
        def __new__(cls, *given: Any, **named: Any) -> Any:
            made: Any = datetime
            return made(*given, **named)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            local = instant.astimezone(tz)
            return local if tz else local.replace(tzinfo=None)

    return Clock


def stop_clocks(here: Path, clock: type[datetime]) -> None:
    """Put ``clock`` in the place of datetime in every module whose file is below ``here``."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and Path(file).resolve().is_relative_to(here):
            for name, value in list(vars(module).items()):
                if value is datetime:
                    setattr(module, name, clock)


def answer_all(application: Callable[..., Any], answers: IO[str]) -> None:
    """Put every question of the input to ``application`` (WSGI)."""
    client = Client(application, use_cookies=False)
    answers.write("{}\n")  # ready
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(answer(client, json.loads(line))) + "\n")
        answers.flush()


def answer(client: Client, question: dict[str, Any]) -> dict[str, Any]:
    """Return the answer; an error that leaves the application ends the comparison."""
    response = client.open(
        question["path"],
        method=question["method"],
        headers=question["headers"],
        data=question["body"],
        environ_overrides={"REMOTE_ADDR": "127.0.0.1", **question["environ"]},
        buffered=True,
    )
    with response:
        status, headers, body = response.status_code, response.headers, response.get_data()
    kept = {name: headers.getlist(name) for name in KEPT if name in headers}
    if "Allow" in kept:  # werkzeug writes a set, in any order
        kept["Allow"] = sorted(kept["Allow"][0].split(", "))
    return {"status": status, "headers": kept, "body": _in_base64(body)}


def _in_base64(raw: bytes) -> str:
    return b64encode(raw).decode()


if __name__ == "__main__":
    main()
