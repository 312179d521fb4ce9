"""NameKeeper: keeps dangerous names from a Python program's own code while that runs.

A guard rail and not a wall: whoever wants to get past it does, and is then in the cell as before.

As a program, with HOW ENTRY ARGUMENT…, it is what python3 would have been for ENTRY: a source, or a code object as
marshal writes it where the name ends in `.marshal`. A session's driver takes the class alone.
"""

import builtins
import copyreg  # which the interpreter imports for object.__reduce_ex__(), and could not under the guard
import gc
import sys

FRAME = type(sys._getframe())
MEMBERS = {
    type(lambda: None): ("__code__", "__globals__", "__closure__"),
    FRAME: ("f_locals", "f_globals", "f_builtins", "f_code"),
    type((lambda: (yield))()): ("gi_frame", "gi_code"),
    type: ("__subclasses__", "__bases__"),
}
NAMES = ("open", "exec", "eval", "compile", "input")
# A frame's globals, whatever is out of reach.
globals_of = FRAME.__dict__["f_globals"].__get__
clear_type_cache = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


def table_of(kind):
    """The dict behind a built-in type's read-only __dict__."""
    return next(each for each in gc.get_referents(vars(kind)) if type(each) is dict)


class NameKeeper:
    """Between enter() and leave() the names are gone, for the whole interpreter.

    `ours`: the globals of whose own code may still import.
    """

    def __init__(self, how, ours):
        if how not in ("namekeeper", "namekeeper-refusing"):
            raise ValueError(f"there is no guard {how!r}")
        self.builtins = vars(builtins)
        self.tables = {kind: table_of(kind) for kind in MEMBERS}
        self.taken = {}
        self.names = {name: self.builtins[name] for name in (*NAMES, "__import__")}
        self.imports = importer(self.names["__import__"], ours, how == "namekeeper-refusing")

    def enter(self):
        for name in NAMES:
            self.builtins.pop(name, None)
        self.builtins["__import__"] = self.imports
        for kind, members in MEMBERS.items():
            for member in members:
                if member in self.tables[kind]:
                    self.taken[kind, member] = self.tables[kind].pop(member)
        clear_type_cache()
        for kind, members in MEMBERS.items():
            for member in members:
                if hasattr(kind, member):
                    raise RuntimeError(f"{member} of {kind.__name__} could not be taken away")

    def leave(self):
        self.builtins.update(self.names)
        for (kind, member), value in self.taken.items():
            self.tables[kind][member] = value
        self.taken = {}
        clear_type_cache()

    @staticmethod
    def end(names):
        """Takes the program's module apart as the interpreter would, before that puts the built-in names back."""
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            if hasattr(sys, name):
                setattr(sys, name, None)
        for private in (True, False):
            for name in list(names):
                if name != "__builtins__" and (not private or name.startswith("_") and not name.startswith("__")):
                    names[name] = None
        gc.collect()


def importer(real, ours, refusing):
    def __import__(name, globals=None, locals=None, fromlist=(), level=0):
        if globals is ours:
            return real(name, globals, locals, fromlist, level)
        if refusing:
            raise ImportError(f"import of {name!r} is not allowed", name=name)

    return __import__


# ---- As a program ------------------------------------------------------------------------------

UNREADABLE = 65


def main():
    import atexit
    import os

    own, how, path = sys.argv[:3]
    try:
        os.unlink(own)  # so that the program's folder is as it was sent
    except OSError:
        pass
    del sys.argv[:2]
    at = sys.orig_argv.index(own)
    del sys.orig_argv[at : at + 2]
    module = type(sys)("__main__")
    names = vars(module)
    names["__annotations__"] = {}
    names["__builtins__"] = builtins
    if not path.endswith(".marshal"):
        names.update(__file__=path, __cached__=None, __loader__=type(__loader__)("__main__", path))
    with open(path, "rb") as file:
        data = file.read()
    sys.excepthook = show
    code = read(data) if path.endswith(".marshal") else compile(data, path, "exec", dont_inherit=True)
    run = exec
    sys.modules["__main__"] = module
    if how != "none":
        keeper = NameKeeper(how, globals())
        atexit.register(keeper.end, names)
        keeper.enter()  # and nothing leaves it: what runs from here on is the program's
    run(code, names)


def read(data):
    """Bytecode is hostile by nature: nobody reads it but the process that it is for."""
    import marshal
    import os

    try:
        code = marshal.loads(data)
        if type(code) is not type(main.__code__):
            raise TypeError("not a code object")
        return code
    except (EOFError, ValueError, TypeError):
        print("belljar: the code cannot be read", file=sys.stderr, flush=True)
        os._exit(UNREADABLE)


def show(kind, error, trace):
    """An error as the program's own: without what stands above it in this file."""
    while trace is not None and globals_of(trace.tb_frame) is globals():
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


if __name__ == "__main__":
    main()
