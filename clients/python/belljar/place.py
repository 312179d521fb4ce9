"""Where the service is, and what every request to it carries."""

from __future__ import annotations

import ssl
import urllib.parse
from typing import Any, Dict, Optional

from .calls import Call, checked_header

VERSION = "0.1.0"


class Place:
    """The service's address and the caller's key."""

    def __init__(self, url: str, key: Optional[str], context: Optional[ssl.SSLContext]) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must be like http://127.0.0.1:8000, not {url!r}")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("url must have no user, query or fragment; the key is an argument of its own")
        self.host = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.context = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        self._authority = parts.netloc
        self._key = None if key is None else checked_header("key", key)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def target(self, call: "Call[Any]") -> str:
        return self._path + call.target

    def headers(self, call: "Call[Any]") -> Dict[str, str]:
        # One connection for each request: none can have been closed by the other side while it was kept.
        made = {
            "Host": self._authority,
            "User-Agent": f"belljar-python/{VERSION}",
            "Connection": "close",
            **call.headers,
        }
        if self._key is not None:
            made["Authorization"] = f"Bearer {self._key}"
        if call.method in ("POST", "PUT"):
            made["Content-Length"] = str(len(call.body or b""))
        return made
