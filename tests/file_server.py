"""A real HTTP server on loopback that serves files, and misbehaves when told to."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

WHOLE, CUT, STALL, BUSY, LIE, BROKEN = "whole", "cut", "stall", "busy", "lie", "broken"
"""What comes of a request: all, half of it, half and then nothing more, 503, half that passes for
the whole of its length, 500."""


class Request(NamedTuple):
    """What a client asked for."""

    path: str
    headers: Message


class FileServer(ThreadingHTTPServer):
    """Serves `files`; the requests to come take their faults from `faults`, and then are whole."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: deque[str] = deque()
        self.requests: list[Request] = []
        self.ranges = True
        self.announced: dict[str, int] = {}
        """Sizes that are announced in place of the true ones."""
        self.retry_after = "0"
        self.seconds = 0.0
        """That each request takes."""
        self.busiest = self._working = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Address of the root."""
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the requests that are served at once."""
        with self._lock:
            self._working += 1
            self.busiest = max(self.busiest, self._working)
        try:
            time.sleep(self.seconds)
            yield
        finally:
            with self._lock:
                self._working -= 1


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        self.server.requests.append(Request(self.path, self.headers))
        with self.server.working():
            self._serve(self.server.faults.popleft() if self.server.faults else WHOLE)

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path in self.server.files else 404)
        self.send_header("Content-Length", str(len(self.server.files.get(self.path, b""))))
        self.end_headers()

    def _serve(self, fault: str) -> None:
        if fault in (BUSY, BROKEN):
            self.send_response(503 if fault == BUSY else 500)
            self.send_header("Retry-After", self.server.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path not in self.server.files:
            self.send_error(404)
        else:
            self._send(self.server.files[self.path], fault)

    def _send(self, content: bytes, fault: str) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        asked = self.headers.get("Range")
        start = 0
        if self.server.ranges and asked and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        size = self.server.announced.get(self.path, len(content))
        rest = content[start:]
        half = rest[: len(rest) // 2]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(half) if fault == LIE else size - start))
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(rest if fault == WHOLE else half)
        if fault == STALL:
            self.wfile.flush()
            self.server.released.wait(30)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet: what is printed in a test is the command's."""


@contextmanager
def serving() -> Iterator[FileServer]:
    """Serve in a thread of its own."""
    with FileServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
