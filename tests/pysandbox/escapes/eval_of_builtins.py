"""eval() under the namespace's own name for the built-in ones."""
# guard: stops
prize = __builtins__.eval("1 + 1")
