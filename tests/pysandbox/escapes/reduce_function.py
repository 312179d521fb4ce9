"""Pickling's protocol gives a function of the library away, and that its built-in names."""
# guard: is passed
prize = object().__reduce_ex__(2)[0].__builtins__["__loader__"].load_module("posix")
