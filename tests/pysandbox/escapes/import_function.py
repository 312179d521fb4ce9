"""The function behind the statement."""
# guard: stops
prize = __import__("posix")
