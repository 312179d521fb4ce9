"""A function's code is replaced by bytecode of one's own."""
# guard: stops
def f():
    return "mine"


f.__code__ = f.__code__.replace(co_consts=(None, "forged"))
prize = f()
