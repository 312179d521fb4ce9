"""By the loader to sys, whose modules have everything that was imported."""
# guard: is passed
prize = __builtins__.__loader__.load_module("sys").modules["posix"]
