"""What is known of a run while its events are read, over as many connections as that takes."""

from __future__ import annotations

from typing import Any, Optional

from . import calls, retry
from .calls import Answer, Call
from .errors import BadAnswer, BelljarError, ConnectionLost, Timeout
from .model import Event, Run


class Following:
    """Decides what to ask for next; the clients do the asking.

    The service sends each event once and says nothing of what came before `Last-Event-ID`. Where that is beyond the
    end, as the numbers before were those of an attempt that the service did not survive, it says nothing at all: then
    it is asked for everything. Where it has forgotten a run's events, some time after the end, it sends the outcome
    alone, as event 1.
    """

    def __init__(self, first: "Call[Answer]", id: Optional[str], after: int, reconnects: int) -> None:
        self.id = id
        self.last = after  # the number of the last event that came
        self.run: Optional[Run] = None  # as it ended, when that has come
        self._first = first
        self._reconnects = reconnects
        self._failures = 0  # since the last event
        self._came = False  # whether this connection brought an event
        self._anew = False  # whether everything is asked for

    def call(self) -> "Call[Answer]":
        self._came = False
        return self._first if self.id is None else calls.events(self.id, 0 if self._anew else self.last)

    def opened(self, headers: Any) -> bool:
        """Whether what was answered is a stream. Else it is the id of a run that had been asked for before."""
        is_stream = str(headers.get("Content-Type", "")).startswith("text/event-stream")
        if is_stream:
            self.id = self.id or headers.get("X-Run-Id")
        elif self.id is not None:
            raise BadAnswer("the answer has no events")
        return is_stream

    def named(self, answer: Answer) -> None:
        """Takes that id."""
        try:
            self.id = answer.json()["id"]
        except (LookupError, TypeError):
            raise BadAnswer("the answer is neither events nor a run") from None

    def took(self, event: Event) -> bool:
        """Whether the event is new."""
        self._came = True
        if event.number <= self.last and event.type != "outcome":
            return False
        self.last = event.number
        if event.type == "status":
            self.id = self.id or event.data.get("id")
        self.run = event.run
        self._anew = False
        self._failures = 0
        return True

    def ended(self) -> ConnectionLost:
        """After a stream that ended before the outcome."""
        self._anew = self._anew or not self._came
        return ConnectionLost("the stream ended before the run")

    def failed(self, error: BelljarError) -> float:
        """Seconds until the next try; raises what went wrong where it was tried often enough."""
        self._failures += 1
        if self._failures > self._reconnects or not (retry.is_passing(error) or isinstance(error, Timeout)):
            raise error
        pause = retry.pause_for(self._failures, error)
        if pause is None:
            raise error
        return pause
