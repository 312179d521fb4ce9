"""What goes wrong between a client and the service. A program that fails is none of these: see Run.status."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Optional


class BelljarError(Exception):
    """Every error of this package that is not a wrong argument."""


class ConnectionLost(BelljarError, ConnectionError):
    """The service could not be reached, or went away before its answer was whole.

    `sent` is False where nothing of the request can have arrived, so that sending it again is harmless.
    """

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        super().__init__(detail)
        self.sent = sent


class Timeout(BelljarError, TimeoutError):
    """The service said nothing for longer than it was given. What was asked for may still happen."""


class BadAnswer(BelljarError):
    """What answered does not speak as the service does; mostly something else is at that address."""


class Problem(BelljarError):
    """The service refused. RFC 9457, with what the service adds to it.

    status       the HTTP status
    title        what kind of refusal, in a few words
    detail       what is wrong, one line for people
    type         a URI of the kind; `about:blank` where the status says it all
    field        what of the request is to blame, such as `limits.memory` or `files[0].path`, or None
    limit        the limit's name, `memory`, where `field` is one; else None
    retry_after  seconds until it may be tried again, where the service says so (429, 503); else None
    request_id   what the service's log knows the request by, or None
    raw          the whole object, unknown members too
    """

    def __init__(self, status: int, raw: Dict[str, Any], headers: Mapping[str, str]) -> None:
        self.status = status
        self.raw = raw
        self.title: str = str(raw.get("title") or f"HTTP status {status}")
        self.detail: str = str(raw.get("detail") or f"the service answered {status}")
        self.type: str = str(raw.get("type") or "about:blank")
        self.field: Optional[str] = raw.get("field")
        self.retry_after = _seconds(headers.get("Retry-After"))
        self.request_id: Optional[str] = headers.get("X-Request-Id")
        super().__init__(f"{status} {self.title}: {self.detail}")

    @property
    def limit(self) -> Optional[str]:
        """The limit's name where `field` is a limit."""
        before, dot, name = (self.field or "").rpartition("limits.")
        # A batch says which of its runs: runs[3].limits.memory
        return name if dot and (not before or before.endswith(".")) else None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> "Problem":
        """Of an answer; one that is no problem object, as a proxy gives, is told by its status."""
        try:
            raw = json.loads(body)
        except ValueError:
            raw = None
        return cls(status, raw if isinstance(raw, dict) else {}, headers)


def _seconds(text: Optional[str]) -> Optional[float]:
    # A date is allowed by HTTP and never sent by the service.
    return float(text) if text and text.isascii() and text.isdigit() else None
