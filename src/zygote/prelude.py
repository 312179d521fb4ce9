# What a zygote does in Python. It runs in a namespace that no program sees.
import sys

plain = frozenset(sys.modules)  # what an interpreter that has just begun has

import builtins
import gc
import os
import _io
from _functools import partial
from _weakref import ref

# What `builtins` begins with, and what comes later: open() and the site's helpers.
later_builtins = [name for name in ("open", "exit", "quit", "copyright", "credits", "license", "help")
                  if name in builtins.__dict__]
first_builtins = {name: value for name, value in builtins.__dict__.items() if name not in later_builtins}
start_env = dict(os.environ)
start_words = [f"{name}={value}" for name, value in start_env.items()]  # as most runs give them
start_argv = list(sys.orig_argv)
preloaded = frozenset()  # top-level names
ahead = {}  # all modules that were imported ahead

# Variables that an interpreter, its allocator or a library reads once, when it begins.
READ_ONCE = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "LANG", "OPENSSL_", "SSL_", "OMP_", "OPENBLAS_", "MKL_",
             "NUMEXPR_", "MPL", "BLIS_")


SINK = 4  # where our stdout and stderr go: kZygoteSinkFd in cell/zygote_protocol.h


def flush_into_sink():
    """What a module has printed is no program's output."""
    for stream in (sys.stdout, sys.stderr):
        while True:
            try:
                stream.flush()
                break
            except BlockingIOError:
                os.read(SINK, 1 << 20)


def preload(names):
    """Imports what is there; answers what is not, with the reason."""
    global preloaded
    front = sys.path.pop(0)  # /box: the cell's own is not this one
    failed = []
    for name in filter(None, names.split(",")):
        try:
            __import__(name)
        except BaseException as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    flush_into_sink()
    sys.path.insert(0, front)
    ahead.update((name, module) for name, module in sys.modules.items() if name not in plain)
    preloaded = frozenset(name.partition(".")[0] for name in ahead)
    sys.path_importer_cache.pop(front, None)
    sys.path_importer_cache.pop(sys.argv[0], None)
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        failed.append(f"the modules have started {threads - 1} threads")
    # A process that a module has started would outlive this one. With hidepid no other is seen here.
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            os.kill(int(name), 9)
            failed.append("the modules have started a process")
    gc.collect()
    gc.freeze()  # else every cell would copy the pages of what was imported at its first collection
    return "; ".join(failed)


def exit_code(code):
    """What a SystemExit with this code ends with, and says."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    try:
        text = str(code) + "\n"
    except BaseException:
        text = "\n"
    if getattr(sys, "stderr", None) is not None:
        sys.stderr.write(text)
    else:
        os.write(2, text.encode(errors="backslashreplace"))
    return 1


def finalize(changed_modules, changed_builtins):
    """What an interpreter's end does to what the program has made, in its order (finalize_modules() in
    Python/pylifecycle.c). What was there before the program is left as it is: taking it apart would copy every
    page of it. Each step is yielded to be called from outside, so that no frame of ours is on the stack when
    the program's own code runs."""
    for name in ("path", "argv", "ps1", "ps2", "last_type", "last_value", "last_traceback", "path_hooks",
                 "path_importer_cache", "meta_path", "__interactivehook__"):
        sys.__dict__[name] = None
    for name in ("stdin", "stdout", "stderr"):
        sys.__dict__[name] = sys.__dict__.get(f"__{name}__")
    modules = sys.modules
    own = [name for name in changed_modules if name == "__main__" or name not in plain]
    living = []
    for name in own:
        try:
            living.append(ref(modules[name]))
        except TypeError:
            pass
        yield partial(modules.__setitem__, name, None)
    if changed_builtins or any(name not in builtins.__dict__ for name in later_builtins):
        names = dict(builtins.__dict__)
        builtins.__dict__.clear()
        builtins.__dict__.update(first_builtins)
        yield names.clear
    else:
        # The same, without a touch of the others.
        for name in later_builtins:
            yield partial(builtins.__dict__.pop, name)
    yield gc.collect
    for weak in reversed(living):
        module = weak()
        if type(module) is not type(sys):
            continue
        names = module.__dict__
        module = None
        yield partial(names.update, dict.fromkeys(
            [name for name in names if name.startswith("_") and not name.startswith("__")]))
        yield partial(names.update, dict.fromkeys([name for name in names if name != "__builtins__"]))
    names = None
    yield gc.collect
    # What the program has hung into modules that stay is not deleted, but no byte may be lost.
    for kind in (_io.TextIOWrapper, _io.BufferedWriter, _io.BufferedRandom):
        for file in gc.get_objects():
            if type(file) is kind:
                yield file.flush
    yield sys.stdout.flush
    yield sys.stderr.flush


def rehearse():
    """What a hand-over and the first lines of a program touch, so that the cell has those pages already. All of
    it is made anew for the run."""
    take(start_argv, start_words)
    del sys.path_importer_cache[start_argv[1]]
    names = {"__name__": "__main__", "__builtins__": builtins}
    return names


def take(argv, env):
    """Becomes `argv` if that is what a cold start would do with this interpreter; else answers False."""
    if len(argv) < 2 or not argv[1].startswith("/") or not argv[1].endswith(".py"):
        return False
    env = dict(entry.split("=", 1) for entry in env)
    for name in env.keys() | start_env.keys():
        if name.startswith(READ_ONCE) and env.get(name) != start_env.get(name):
            return False
    script = argv[1]
    folder = os.path.realpath(script).rpartition("/")[0]
    for entry in os.listdir(folder):
        if entry.partition(".")[0] in preloaded:
            return False  # a cold start would import this one
    for name in start_env.keys() - env.keys():
        del os.environ[name]
    for name, value in env.items():
        if start_env.get(name) != value:
            os.environ[name] = value
    sys.argv = argv[1:]
    sys.orig_argv = argv
    sys.path[0] = folder
    sys.path_importer_cache[script] = None
    if env.get("TZ") != start_env.get("TZ"):
        import time
        time.tzset()
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()  # else every cell of this zygote would draw the same numbers
    threading = sys.modules.get("threading")
    if threading is not None:
        threading.main_thread()._set_native_id()  # a fork leaves it as it was
    # A new one: what was frozen with gc.freeze() is never collected, nor what it holds.
    module = sys.modules["__main__"] = type(sys)("__main__")
    main = module.__dict__
    main["__annotations__"] = {}
    main["__builtins__"] = builtins
    main["__file__"] = script
    main["__cached__"] = None
    main["__loader__"] = sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", script)
    return True
