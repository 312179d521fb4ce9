"""Server-sent events (WHATWG HTML, section 9.2), out of pieces that are cut anywhere."""

from __future__ import annotations

import json
from typing import Dict, Iterator, List

from .errors import BadAnswer
from .model import Event


class EventParser:
    """Gives the events that are whole. What a broken connection left of one is dropped with the parser."""

    def __init__(self) -> None:
        self._pending: List[bytes] = []  # the line that is not whole yet; an outcome's may be many pieces long
        self._fields: Dict[str, str] = {}

    def feed(self, piece: bytes) -> Iterator[Event]:
        self._pending.append(piece)
        if b"\n" not in piece:
            return
        *lines, rest = b"".join(self._pending).split(b"\n")
        self._pending = [rest]
        for line in lines:
            if not line.startswith(b":"):  # else a comment, which only keeps the connection
                yield from self._take(line.rstrip(b"\r").decode())

    def _take(self, line: str) -> Iterator[Event]:
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value[1:] if value.startswith(" ") else value
        elif self._fields:
            fields, self._fields = self._fields, {}
            try:
                yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            except (KeyError, ValueError):
                raise BadAnswer(f"this is no event of a run: {fields!r:.200}") from None
