"""When a request is sent again, and after how long."""

from __future__ import annotations

import random
from typing import Any, Optional

from .calls import Call
from .errors import BelljarError, ConnectionLost, Problem

LONGEST_PAUSE = 60.0  # seconds; what is to be tried again only later than that is an error now
FIRST_PAUSE = 0.25
LONGEST_BACKOFF = 5.0
PASSING = (502, 503, 504)  # what may be otherwise in a moment: the service starts anew, or cannot be reached


def backoff(attempt: int) -> float:
    """Seconds before the attempt after that many failed ones: twice as long each time, and not all at once."""
    return min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1.25)


def is_passing(error: BelljarError) -> bool:
    """Whether it may go better in a moment."""
    if isinstance(error, Problem):
        return error.status == 429 or error.status in PASSING
    return isinstance(error, ConnectionLost)


def pause_before(attempt: int, error: BelljarError, call: "Call[Any]") -> Optional[float]:
    """Seconds until the call may be sent again after its n-th failure; None where it may not.

    429 was refused before anything was done. What has become of other calls may not be known: these are sent
    again only where a second time does no harm.
    """
    harmless = call.repeatable or (isinstance(error, Problem) and error.status == 429)
    harmless = harmless or (isinstance(error, ConnectionLost) and not error.sent)
    if not harmless or not is_passing(error):
        return None
    return pause_for(attempt, error)


def pause_for(attempt: int, error: BelljarError) -> Optional[float]:
    """The pause that the service asks for, or one of our own; None where it is too long."""
    wanted = error.retry_after if isinstance(error, Problem) else None
    if wanted is None:
        return backoff(attempt)
    return wanted if wanted <= LONGEST_PAUSE else None
