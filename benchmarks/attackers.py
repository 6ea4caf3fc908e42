"""Clients that mean no good, or are merely slow: each in a thread, for a bounded time."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from benchmarks.questions import Question
from benchmarks.serving import HOST

# So little that the system's own buffers take nothing off the server's hands.
_RECEIVE_BUFFER: Final = 4096
_PATIENCE: Final = 120.0

Attacker = Callable[[int, Event], float]


@contextmanager
def attacking(attackers: int, attacker: Attacker) -> Iterator[list[float]]:
    """Run so many for the length of the block; what each returns is in the list after it."""
    over = Event()
    results: list[float] = []
    threads = [
        Thread(target=lambda place=place: results.append(attacker(place, over)), daemon=True)
        for place in range(attackers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield results
    finally:
        over.set()
        for thread in threads:
            thread.join(_PATIENCE)


def connected(port: int) -> socket.socket:
    """Return a connection that takes little at a time."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    client.settimeout(_PATIENCE)
    client.connect((HOST, port))
    return client


def head_of(question: Question) -> bytes:
    """Write a question as it goes over the wire."""
    headers = {"Host": HOST} | question.headers
    lines = [f"{question.method} {question.path} HTTP/1.1", *map(": ".join, headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def dribbler(port: int) -> Attacker:
    """Send one byte of a header a second; return after how many seconds it was closed."""

    def attack(_: int, over: Event) -> float:
        begun = time.monotonic()
        with connected(port) as client:
            try:
                client.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
                while not over.wait(1):
                    client.sendall(b"x")
            except OSError:
                pass
            return time.monotonic() - begun

    return attack


def silent(port: int, question: Question) -> Attacker:
    """Ask and read nothing."""

    def attack(_: int, over: Event) -> float:
        with connected(port) as client:
            client.sendall(head_of(question))
            over.wait()
        return 0

    return attack


def slow_reader(port: int, question: Question, bytes_a_second: int) -> Attacker:
    """Ask, again and again, and read so slowly; return the bytes that were read."""

    def attack(_: int, over: Event) -> float:
        taken = 0
        while not over.is_set():
            with connected(port) as client:
                try:
                    client.sendall(head_of(question))
                    while not over.wait(0.1) and (piece := client.recv(bytes_a_second // 10)):
                        taken += len(piece)
                except OSError:
                    pass
            over.wait(0.1)
        return taken

    return attack


def leaver(port: int, questions: list[Question]) -> Attacker:
    """Ask, read a little or nothing, and leave; return how often."""

    def attack(place: int, over: Event) -> float:
        times = 0
        while not over.wait(0.05):
            question = questions[(place + times) % len(questions)]
            try:
                with connected(port) as client:
                    client.sendall(head_of(question)[: None if times % 3 else 40])
                    if times % 2:
                        client.recv(100)
            except OSError:
                pass
            times += 1
        return times

    return attack
