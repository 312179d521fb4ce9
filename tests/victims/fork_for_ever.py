"""Forks for ever: secure-sandbox's fork bomb (T004)."""

import os

while True:
    os.fork()
