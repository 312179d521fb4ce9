"""A library function's globals have what its module has imported."""
# guard: stops
prize = __builtins__.help.__class__.__call__.__globals__["sys"].modules["posix"]
