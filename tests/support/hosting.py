"""Servers in this process and the browser's pages on them: what asks ends before what answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask
from playwright.sync_api import Page
from werkzeug.serving import make_server


@dataclass
class Host:
    """What is served, and the pages of a browser that were opened to look at it."""

    visitors: list[Page] = field(default_factory=list, init=False, repr=False)

    def visited_by(self, page: Page) -> Page:
        self.visitors.append(page)
        return page

    def leave(self) -> None:
        """Close what still looks: a request that loses its server is an error in the console."""
        for page in self.visitors:
            if not page.is_closed():
                page.close()
        self.visitors.clear()


@contextmanager
def hosted(host: Host, server: Flask, name: str = "127.0.0.1") -> Iterator[str]:
    """Serve for the length of the block, at whose end the pages go first; yield the origin."""
    made = make_server(name, 0, server, threaded=True)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    try:
        yield f"http://{name}:{made.server_port}"
    finally:
        host.leave()
        made.shutdown()
        thread.join()
        made.server_close()
