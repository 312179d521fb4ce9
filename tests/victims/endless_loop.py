"""Loops for ever: safe-code-executor's first attack (T001)."""

while True:
    pass
