"""From any value to object, and down to a class whose module has imported os."""
# guard: stops
for kind in object.__subclasses__():
    if kind.__name__ == "_wrap_close":
        prize = kind.__init__.__globals__["sys"].modules["posix"]
