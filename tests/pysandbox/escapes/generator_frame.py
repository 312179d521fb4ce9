"""A generator's frame leads to whoever runs it."""
# guard: stops
def walk():
    yield found.gi_frame.f_back


found = walk()
prize = next(found)
