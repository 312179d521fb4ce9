"""ctypes' own module calls into the C library, past all that Python could guard."""
# guard: is passed
modules = __builtins__.__loader__.load_module("sys").modules
found = modules["_frozen_importlib_external"].PathFinder.find_spec("_ctypes")
native = modules["_frozen_importlib"].module_from_spec(found)
found.loader.exec_module(native)
library = native.dlopen(None, 2)
assert native.call_function(native.dlsym(library, "getpid"), ()) == modules["posix"].getpid()
prize = modules["posix"]
