"""The session driver: it executes code again and again, like a notebook's kernel.

Two kinds of process run this file. The *driver* speaks to the gateway over the socket that was its
fd 0 and never runs anybody's code. For each *context* it forks a child, where the code runs and
the state lives. What a child says is taken for a claim: its code can forge any of it.

With the words `node TOOL` or `bash TOOL` the code is JavaScript or Bash: a child becomes Node, with
the program that lies beside this file, or has a Bash of its own. Without, it is Python, and with
the words `FILE HOW` it runs under the guard in that file.

Frames, on every socket: four bytes of length (little-endian), then one JSON object in UTF-8.
"""

import sys

if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]  # the user's folder: no json.py of theirs is to be imported here

import builtins

# What the user does to builtins does not reach the functions of this file: they look here.
globals()["__builtins__"] = dict(vars(builtins))

import __future__
import _ast
import _thread
import atexit
import fcntl
import gc
import importlib.util
import json.decoder
import json.encoder
import linecache
import marshal
import os
import signal as signals
import traceback
import types
from _socket import socket, socketpair
from binascii import a2b_base64, b2a_base64
from io import BytesIO, StringIO
from itertools import islice
from select import POLLIN, POLLOUT, poll

# Names of our own for what the code of a context may replace in its module.
# (_signal and not signal, whose functions are Python and look at the user's builtins.)
from _signal import SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, SIGCHLD, SIGINT, SIGKILL, pthread_sigmask, signal
from os import _exit, close, dup2, environ, fstat, getpid
from sys import getprofile, getrecursionlimit, gettrace, setprofile, setrecursionlimit, settrace
from time import clock_gettime_ns, sleep, time_ns

HERE = (lambda: None).__code__.co_filename
HIDDEN, BESIDE = ".belljar-session.py", ".belljar-session.js"
LANGUAGE, TOOL = sys.argv[1:3] if sys.argv[1:2] in (["node"], ["bash"]) else ("", "")
LARGEST_IN = 16 << 20  # a frame of the gateway
LARGEST_OUT = 8 << 20  # a frame to the gateway, or of a child
LARGEST_METADATA = 1 << 16
LARGEST_TEXT = 1 << 20  # characters of a text/plain
LARGEST_ERROR = 1 << 18  # characters of an error's value, and of its traceback
LONGEST_NAME = 256  # of a MIME type, or of an exception
CHUNK = 1 << 18
MOST_TYPES = 100  # of a result
DEEPEST = 24  # levels of a JSON result; parsers stop at 32, and the frame around it has some
MOST_FILES, DEEPEST_FILE, MOST_ENTRIES = 200, 8, 20000
SOURCES_KEPT = 16 << 20  # characters of former cells, for their tracebacks
LEAST_RECURSION = 1000  # what the functions of this file need
CLOCK_REALTIME_COARSE = 5  # what the kernel dates files by; it goes in ticks
ALL_SIGNALS = signals.valid_signals()
UNREADABLE = "the code cannot be read"

MIME_TYPES = {
    "bmp": "image/bmp", "c": "text/x-c", "cpp": "text/x-c++", "css": "text/css", "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "gif": "image/gif", "gz": "application/gzip", "htm": "text/html", "html": "text/html",
    "ipynb": "application/x-ipynb+json", "jpeg": "image/jpeg", "jpg": "image/jpeg",
    "js": "text/javascript", "json": "application/json", "jsonl": "application/jsonl",
    "log": "text/plain", "md": "text/markdown", "mp3": "audio/mpeg", "mp4": "video/mp4",
    "npy": "application/x-npy", "npz": "application/x-npz", "ogg": "audio/ogg",
    "parquet": "application/vnd.apache.parquet", "pdf": "application/pdf",
    "pickle": "application/x-pickle", "pkl": "application/x-pickle", "png": "image/png",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "py": "text/x-python", "sh": "application/x-sh", "sql": "application/sql",
    "sqlite": "application/vnd.sqlite3", "svg": "image/svg+xml", "tar": "application/x-tar",
    "tex": "application/x-tex", "tif": "image/tiff", "tiff": "image/tiff", "toml": "application/toml",
    "tsv": "text/tab-separated-values", "txt": "text/plain", "wav": "audio/wav", "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml", "yaml": "application/yaml", "yml": "application/yaml",
    "zip": "application/zip",
}  # fmt: skip


# ---- Frames ------------------------------------------------------------------------------------


class Broken(Exception):
    """What came is no frame."""


def refuse(value):
    raise ValueError(f"{type(value).__name__} is not JSON")


def number(digits):
    """Nobody's parser is kept busy by an integer of a million digits."""
    return int(digits) if len(digits) <= 20 else float(digits)


# The C halves of the json module: whatever is done to the module, these stay as they are.
chunks_of = json.encoder.c_make_encoder(
    None, refuse, json.encoder.encode_basestring, None, ":", ",", False, False, False
)
scan = json.decoder.JSONDecoder(parse_int=number, parse_constant=refuse).scan_once


def encoded(value):
    return "".join(chunks_of(value, 0)).encode("utf-8", "replace")


def decoded(body):
    """The object in a frame."""
    try:
        text = str(body, "utf-8").strip()
        value, end = scan(text, 0)
    except (ValueError, StopIteration, RecursionError, MemoryError) as error:
        raise Broken from error
    if end != len(text) or type(value) is not dict:
        raise Broken
    return value


def framed(body):
    return len(body).to_bytes(4, "little") + body


def packed(frame):
    """The frame's bytes; a result that is too large goes without its largest entries."""
    body = encoded(frame)
    if len(body) > LARGEST_OUT:
        body = encoded(lightened(frame))
    return framed(body)


def lightened(frame):
    sizes = {mime: len(encoded(value)) for mime, value in frame["data"].items()}
    kept, omitted = {}, list(frame.get("omitted", ()))
    room = LARGEST_OUT - CHUNK  # for the metadata and the names
    for mime in sorted(sizes, key=sizes.get):
        room -= sizes[mime]
        if room > 0:
            kept[mime] = frame["data"][mime]
        else:
            omitted.append(mime)
    return {**frame, "data": kept, "omitted": omitted}


def is_shallow(value, levels=DEEPEST):
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return levels > 0 and all(is_shallow(item, levels - 1) for item in value)


def is_json(mime):
    return mime == "application/json" or mime.endswith("+json")


def result_frame(id, main, data, metadata, omitted=()):
    """A result of nothing but what belongs in one; the rest is named in `omitted`."""
    kept, omitted = {}, [mime for mime in omitted if type(mime) is str]
    for mime, value in islice(data.items(), MOST_TYPES):
        fits = is_shallow(value) if is_json(mime) else type(value) is str
        if fits and len(mime) <= LONGEST_NAME:
            kept[mime] = value
        else:
            omitted.append(mime)
    if not is_shallow(metadata) or len(encoded(metadata)) > LARGEST_METADATA:
        metadata = {}
    frame = {"type": "result", "id": id, "main": main, "data": kept, "metadata": metadata}
    if omitted:
        frame["omitted"] = [mime[:LONGEST_NAME] for mime in omitted[:MOST_TYPES]]
    return frame


def error_frame(id, name, value, trace):
    return {
        "type": "error", "id": id, "name": name[:LONGEST_NAME],
        "value": value[:LARGEST_ERROR], "traceback": trace[:LARGEST_ERROR],
    }  # fmt: skip


class Channel:
    """The driver's end of a stream of frames. It never waits."""

    def __init__(self, sock, largest):
        sock.setblocking(False)
        self.sock, self.largest = sock, largest
        self.incoming, self.outgoing = bytearray(), bytearray()

    def pull(self):
        """Takes some of what is there; false at the end of the stream."""
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.incoming += data
        return bool(data)

    def frames(self):
        while len(self.incoming) >= 4:
            size = int.from_bytes(self.incoming[:4], "little")
            if size > self.largest:
                raise Broken
            if len(self.incoming) < 4 + size:
                return
            body = bytes(self.incoming[4 : 4 + size])
            del self.incoming[: 4 + size]
            yield decoded(body)

    def push(self, data=b""):
        """Sends what goes without waiting and keeps the rest; false when nobody is there to read."""
        self.outgoing += data
        try:
            while self.outgoing:
                del self.outgoing[: self.sock.send(self.outgoing[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


# ---- The files of a session --------------------------------------------------------------------


class Files:
    """The regular files below the working directory, as they are before an execution."""

    def __init__(self):
        self.since = time_ns()
        self.before, self.whole = self.look()
        self.pass_tick()

    @staticmethod
    def look():
        """Their states by path, shallow folders first; and whether that is all of them."""
        found, left = {}, MOST_ENTRIES
        pending = [("", 1)]
        for folder, depth in pending:
            try:
                with os.scandir(folder or ".") as entries:
                    for entry in islice(entries, left):
                        left -= 1
                        if entry.name.encode("utf-8", "replace") != os.fsencode(entry.name):
                            continue  # no client could ask for it by this name
                        path = folder + entry.name
                        if entry.is_dir(follow_symlinks=False) and depth < DEEPEST_FILE:
                            pending.append((path + "/", depth + 1))
                        elif entry.is_file(follow_symlinks=False) and path not in (HIDDEN, BESIDE):
                            state = entry.stat(follow_symlinks=False)
                            found[path] = (state.st_size, state.st_mtime_ns, state.st_ino)
            except OSError:
                pass  # removed meanwhile, or not ours to read
        return found, left > 0

    def pass_tick(self):
        """Lets the tick end in which a file was written: a second time in it would look the same."""
        latest = max((mtime for _, mtime, _ in self.before.values()), default=0)
        while clock_gettime_ns(CLOCK_REALTIME_COARSE) == latest:
            sleep(0.001)

    def changed(self):
        now, _ = self.look()
        new = (path for path in sorted(now) if now[path] != self.before.get(path))
        if not self.whole:  # then the clock has to tell what is new
            new = (path for path in new if now[path][1] >= self.since)
        return [described(path, now[path][0]) for path in islice(new, MOST_FILES)]


def described(path, size):
    _, dot, suffix = path.rpartition("/")[2].rpartition(".")
    mime = MIME_TYPES.get(suffix.lower() if dot else "", "application/octet-stream")
    return {"path": path, "bytes": size, "mime": mime}


# ---- The driver --------------------------------------------------------------------------------


class Forked(BaseException):
    """This process is a context's, from here on: unwinds to the end of this file."""


class Child(Channel):
    """What the driver knows of a context's process, and its end of their socket."""

    def __init__(self, name, pid, sock):
        super().__init__(sock, LARGEST_OUT)
        self.name, self.pid = name, pid
        self.count = 0  # executions
        self.deaf = False  # it has closed its socket, or what it sent was no frame
        self.trouble = None  # why it was killed


class Driver:
    def __init__(self, control):
        self.gateway = Channel(control, LARGEST_IN)
        self.contexts = {}  # by name: a Child, or None while there is no process
        self.folders = {}  # by name: where a context's code begins, if not in the session's folder
        self.op = self.running = self.files = None  # the execution in flight, the Child that has it
        self.begun = self.to_interrupt = False
        # Signals write to it, so that they end the wait of poll().
        self.wake, self.waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signals.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        for number in (SIGCHLD, SIGINT):
            signal(number, lambda *_: None)
        # A context's code may send signals to its parent; it need not notice the most usual ones.
        pthread_sigmask(SIG_BLOCK, ALL_SIGNALS - {SIGCHLD, SIGINT})

    def children(self):
        return [child for child in self.contexts.values() if child]

    def run(self):
        self.start("default")
        self.say({"type": "ready", "version": version()})
        while True:
            events = self.wait()
            # The gateway first: an interrupt may be of what it has just sent.
            self.hear(events.get(self.gateway.sock.fileno(), 0))
            if self.wake in events and SIGINT in os.read(self.wake, CHUNK):
                self.to_interrupt = True
            for child in self.children():
                self.listen(child, events.get(child.sock.fileno(), 0))
            self.reap()
            self.interrupt()

    def wait(self):
        poller = poll()
        poller.register(self.wake, POLLIN)
        poller.register(self.gateway.sock, POLLIN | (POLLOUT if self.gateway.outgoing else 0))
        crowded = len(self.gateway.outgoing) > LARGEST_OUT
        for child in self.children():
            events = (0 if crowded else POLLIN) | (POLLOUT if child.outgoing else 0)
            if events and not child.deaf:
                poller.register(child.sock, events)
        return dict(poller.poll())

    # -- the gateway

    def say(self, frame):
        if not self.gateway.push(packed(frame)):
            self.end()

    def done(self, op, status, reason=None, exit_code=None, signal=None, count=0, files=()):
        frame = {"type": "done", "id": op.get("id"), "status": status, "exit_code": exit_code}
        frame.update(signal=signal, count=count, files=list(files))
        self.say({**frame, "reason": reason} if reason else frame)

    def hear(self, events):
        if events & POLLOUT and not self.gateway.push():
            self.end()
        if events & ~POLLOUT:
            alive = self.gateway.pull()
            try:
                for op in self.gateway.frames():
                    self.obey(op)
            except Broken:
                self.end(1)  # the gateway and this driver do not understand each other
            if not alive:
                self.end()

    def obey(self, op):
        what, name = op.get("op"), op.get("context")
        if what == "exit":
            self.end()
        elif [type(op.get(key)) for key in ("op", "id", "context")] != [str, int, str] or what not in self.ANSWERED:
            self.done(op, "error", "there is no op of that form")
        elif self.op:
            self.done(op, "error", f"{self.op['id']} is still in flight")
        elif (name in self.contexts) == (what == "create_context"):
            self.done(op, "error", f"context {name!r} {'exists' if name in self.contexts else 'does not exist'}")
        else:
            try:
                self.ANSWERED[what](self, op, name)
            except OSError as error:
                self.done(op, "error", f"no process for it: {error.strerror}")

    def execute(self, op, name):
        if type(op.get("code")) is not str:
            return self.done(op, "error", "code is not text")
        if type(op.get("env", {})) is not dict:
            return self.done(op, "error", "env is no object")
        self.reap()
        child = self.contexts[name]
        if child is None or child.deaf:
            self.stop(name)
            child = self.start(name)
        child.count += 1
        self.op, self.running, self.begun, self.to_interrupt = op, child, False, False
        self.files = Files()
        frame = {"id": op["id"], "code": op["code"], "title": f"<cell {child.count}>", "env": op.get("env", {})}
        frame["marshalled"] = op.get("marshalled") is True
        body = encoded(frame)
        if not child.push(framed(body)):
            self.give_up(child)

    def create(self, op, name):
        if "cwd" in op:
            try:
                close(os.open(op["cwd"], os.O_PATH | os.O_DIRECTORY))
            except (OSError, TypeError, ValueError) as error:
                return self.done(op, "error", f"cwd: {getattr(error, 'strerror', error)}")
            self.folders[name] = op["cwd"]
        self.start(name)
        self.done(op, "ok")

    def restart(self, op, name):
        self.stop(name)
        self.start(name)
        self.done(op, "ok")

    def remove(self, op, name):
        self.stop(name)
        del self.contexts[name]
        self.folders.pop(name, None)
        self.done(op, "ok")

    ANSWERED = {
        "execute": execute, "create_context": create, "restart_context": restart, "remove_context": remove
    }  # fmt: skip

    def end(self, code=0):
        for child in self.children():
            self.kill(child)
        _exit(code)

    # -- the children

    def start(self, name):
        ours, theirs = socketpair()
        gc.freeze()  # so that the child's collector leaves the shared pages as they are
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            self.become_child(ours, name)
            raise Forked(theirs)
        theirs.close()
        child = self.contexts[name] = Child(name, pid, ours)
        return child

    def become_child(self, ours, name):
        """Undoes in the child what is the driver's alone."""
        os.setsid()  # so that it is told of interrupts together with what it starts
        signals.set_wakeup_fd(-1)
        signal(SIGINT, SIG_IGN)
        signal(SIGCHLD, SIG_DFL)
        pthread_sigmask(SIG_SETMASK, ())
        for sock in (ours, self.gateway.sock, *(child.sock for child in self.children())):
            sock.close()
        close(self.wake)
        close(self.waker)
        if name in self.folders:
            try:
                os.chdir(self.folders[name])
            except OSError as error:  # the code has removed it since
                print(f"cwd: {error.strerror}", file=sys.stderr)

    def kill(self, child):
        for send in (os.killpg, os.kill):
            try:
                send(child.pid, SIGKILL)
            except OSError:
                pass  # it has not come to setsid(), or has ended

    def give_up(self, child):
        child.deaf = True
        child.incoming.clear()
        self.kill(child)

    def stop(self, name):
        child = self.contexts[name]
        if child:
            self.kill(child)
            self.bury(child, os.waitpid(child.pid, 0)[1])

    def reap(self):
        """Sees to the children that have ended, whoever may still hold their sockets."""
        for child in self.children():
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self.bury(child, status)

    def bury(self, child, status):
        # What it said before its end; of what goes on talking in its place only so much.
        for _ in range(2 * LARGEST_OUT // CHUNK):
            before = len(child.incoming)
            if child.deaf or not child.pull() or len(child.incoming) == before:
                break
        self.understand(child)
        child.sock.close()
        self.contexts[child.name] = None
        if child is self.running and os.WIFSIGNALED(status):
            self.finish("died", reason=child.trouble, signal=signal_name(os.WTERMSIG(status)))
        elif child is self.running:
            self.finish("exited", exit_code=os.WEXITSTATUS(status))

    def listen(self, child, events):
        if events & POLLOUT and not child.push():
            child.deaf = True
        if events & ~POLLOUT and not child.pull():
            child.deaf = True
        self.understand(child)
        # One that has closed its socket while its code runs may run on, and end by itself.
        if child.deaf and child is not self.running:
            self.kill(child)

    def understand(self, child):
        """Passes on what is a claim about the execution in flight in this very context."""
        try:
            for frame in child.frames():
                if child is self.running:
                    self.relay(child, frame)
        except (Broken, ValueError, RecursionError, MemoryError):
            self.give_up(child)
            child.trouble = "what the context's process sent was no answer"

    def relay(self, child, frame):
        kind, id = frame.get("type"), frame.get("id")
        if type(id) is not int or id != self.op["id"]:
            return  # of a thread that displays something late
        if kind == "begun":
            self.begun = True
        elif kind == "result":
            data, metadata, omitted = (frame.get(key) for key in ("data", "metadata", "omitted"))
            if [type(data), type(metadata), type(frame.get("main"))] != [dict, dict, bool]:
                raise Broken
            omitted = omitted if type(omitted) is list else ()
            self.say(result_frame(id, frame["main"], data, metadata, omitted))
        elif kind == "error":
            texts = [frame.get(key) for key in ("name", "value", "traceback")]
            if not all(type(text) is str for text in texts):
                raise Broken
            self.say(error_frame(id, *texts))
        elif kind == "done" and frame.get("status") in ("ok", "error", "interrupted"):
            if child.outgoing:
                raise Broken  # an answer to what it has not read
            code = frame.get("exit_code")
            self.finish(frame["status"], exit_code=code if type(code) is int else None)
        elif kind == "done" and frame.get("status") == "unreadable":
            self.finish("error", reason=UNREADABLE)
        else:
            raise Broken

    def finish(self, status, **how):
        op, child = self.op, self.running
        self.op = self.running = None
        self.done(op, status, count=child.count, files=self.files.changed(), **how)

    def interrupt(self):
        """Passes an interrupt on, once the child can tell it from one between executions."""
        if self.running is None:
            self.to_interrupt = False
        elif self.to_interrupt and self.begun:
            self.to_interrupt = False
            try:
                os.killpg(self.running.pid, SIGINT)
            except OSError:
                pass  # it has ended


def version():
    """The interpreter's, in digits."""
    if not TOOL:
        return ".".join(map(str, sys.version_info[:3]))
    out, theirs = os.pipe()
    pid = os.posix_spawn(TOOL, [TOOL, "--version"], environ, file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)])
    close(theirs)
    with open(out, "rb") as file:
        words = file.read().decode("ascii", "replace").replace("v", " ").replace("(", " ").split()
    os.waitpid(pid, 0)
    return next((word for word in words if word[:1].isdigit()), "")


def signal_name(number):
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"SIG{number}"


# ---- A context's process: what values look like ------------------------------------------------

RICH = {
    "text/html": "_repr_html_", "image/png": "_repr_png_", "image/jpeg": "_repr_jpeg_",
    "image/svg+xml": "_repr_svg_", "application/json": "_repr_json_", "text/latex": "_repr_latex_",
    "text/markdown": "_repr_markdown_", "application/javascript": "_repr_javascript_",
    "application/pdf": "_repr_pdf_",
}  # fmt: skip
TracebackException = traceback.TracebackException
# Neither a metaclass nor a class of errors has a say in these.
name_of_type = type.__dict__["__name__"].__get__
traceback_of = BaseException.__dict__["__traceback__"].__get__
set_traceback = BaseException.__dict__["__traceback__"].__set__
globals_of = types.FrameType.__dict__["f_globals"].__get__
excepthook = sys.__excepthook__


def is_a(value, kind):
    """isinstance() believes what a value's __class__ says; this does not."""
    return issubclass(type(value), kind)


def plain(text):
    """A str that is no subclass, and that UTF-8 can write."""
    return str(str.encode(text, "utf-8", "backslashreplace"), "utf-8")


def cut(text, largest=LARGEST_TEXT):
    return text if len(text) <= largest else f"{text[:largest]}\n... ({len(text) - largest} more characters)"


def said(function, value):
    """What repr or str say of a value, whatever they do."""
    try:
        return plain(function(value))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        kind, trouble = name_of_type(type(value)), name_of_type(type(error))
        return f"<{kind} object: its {function.__name__}() raised {trouble}>"


def without_driver(stack):
    """The frames of a traceback that are not of this file, nor of an event loop that it runs."""
    frames = [frame for frame in stack if frame.filename != HERE]
    cells = [i for i, frame in enumerate(frames) if frame.filename.startswith("<cell ")]
    return frames[cells[0] :] if cells and stack[0].filename == HERE else frames


def trace_of(error):
    """An exception's traceback as text."""
    try:
        if is_a(error, SyntaxError) and error.text is None and error.lineno:  # found after the parsing
            error.text = linecache.getline(error.filename, error.lineno) or None
        whole = TracebackException(type(error), error, traceback_of(error))
        pending = [whole]
        for one in pending:
            if one.stack:
                one.stack[:] = without_driver(one.stack)
            inner = (one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ()))
            pending += (each for each in inner if each is not None)
        return plain("".join(whole.format()))
    except KeyboardInterrupt:
        raise
    except BaseException:  # the user has been at the module, or frames are out of reach
        return written(error)


def written(error):
    """An exception's traceback as the interpreter itself writes it."""
    trace, stream = traceback_of(error), sys.stderr
    while trace is not None and globals_of(trace.tb_frame) is globals():
        trace = trace.tb_next
    sys.stderr = StringIO()
    try:
        set_traceback(error, trace)
        excepthook(type(error), error, trace)
        return plain(sys.stderr.getvalue())
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"{name_of_type(type(error))}: {said(str, error)}\n"
    finally:
        sys.stderr = stream


def complain(error):
    try:
        sys.stderr.write(trace_of(error))
    except Exception:
        pass


def clean(value):
    """The same JSON value, of plain types."""
    return scan(str(encoded(value), "utf-8"), 0)[0]


def entry(mime, item):
    """What a result's data holds under a MIME type."""
    if is_json(mime):
        return clean(item)
    if is_a(item, (bytes, bytearray, memoryview)):
        if mime.startswith("text/") or mime in ("image/svg+xml", "application/javascript"):
            return str(item, "utf-8", "backslashreplace")
        return str(b2a_base64(item, newline=False), "ascii")
    if not is_a(item, str):
        raise TypeError(f"{mime} is text or bytes, not {name_of_type(type(item))}")
    return cut(plain(item)) if mime == "text/plain" else plain(item)


def add(data, metadata, made, mime=None):
    """Adds what a method of a value has made: of one type, or a bundle of several."""
    about = {}
    if is_a(made, tuple) and tuple.__len__(made) == 2:
        made, about = tuple.__iter__(made)
    if made is None or made is NotImplemented:
        return
    if mime is None:
        for each, item in dict.items(made):
            if item is not None:
                data[plain(each)] = entry(plain(each), item)
        metadata.update(clean(about or {}))
    else:
        data[mime] = entry(mime, made)
        if about:
            metadata[mime] = clean(about)


def draw(figure, kind):
    target = BytesIO()
    figure.savefig(target, format=kind, bbox_inches="tight")
    return target.getvalue()


def instance_of(value, module, name):
    """Whether it is of a class of a module, if anybody has imported that."""
    kind = getattr(sys.modules.get(module), name, None)
    return is_a(kind, type) and is_a(value, kind)


def method(value, name):
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def makers_of(value):
    """Pairs of a MIME type and what makes that of the value; None: makes a bundle."""
    # Neither a class nor what has an answer to any name means what these names mean.
    if is_a(value, type) or method(value, "_belljar_no_such_method_") is not None:
        return
    bundle = method(value, "_repr_mimebundle_")
    if bundle is not None:
        yield None, lambda: bundle(include=None, exclude=None)
    if instance_of(value, "matplotlib.figure", "Figure"):
        yield "image/png", lambda: draw(value, "png")
        yield "image/svg+xml", lambda: draw(value, "svg")
    for mime, name in RICH.items():
        found = method(value, name)
        if found is not None:
            yield mime, found
    if instance_of(value, "pandas", "Series"):  # which has no _repr_html_ of its own
        yield "text/html", lambda: value.to_frame()._repr_html_()


def bundle_of(value):
    """All that a value is, by MIME type, and what there is to say about it."""
    data, metadata = {}, {}
    for mime, make in makers_of(value):
        try:
            if mime not in data:
                add(data, metadata, make(), mime)
        except KeyboardInterrupt:
            raise
        except NotImplementedError:
            pass
        except BaseException as error:
            complain(error)
    if "text/plain" not in data:
        data["text/plain"] = cut(said(repr, value))
    return data, metadata


class Shown:
    """Data that displays as one MIME type."""

    mime = "text/plain"

    def __init__(self, data=None, filename=None, metadata=None):
        if filename is not None:
            with open(filename, "rb") as file:
                data = file.read()
        self.data, self.metadata = data, metadata

    def content(self):
        return self.data

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self.mime: self.content()}, {self.mime: self.metadata} if self.metadata else {}

    def __repr__(self):
        return f"<{name_of_type(type(self))} object>"


class JSON(Shown):
    mime = "application/json"

    def content(self):
        if is_a(self.data, (str, bytes)):  # a text in JSON
            text = self.data.encode() if is_a(self.data, str) else self.data
            return decoded(b'{"data":%b}' % text)["data"]
        return self.data


class Image(Shown):
    """An image, of bytes or of a file."""

    MAGIC = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}

    def __init__(self, data=None, filename=None, format=None, width=None, height=None):
        if is_a(data, str) or hasattr(data, "__fspath__"):
            data, filename = None, data
        sizes = {"width": width, "height": height}
        super().__init__(data, filename, {key: size for key, size in sizes.items() if size is not None})
        kinds = (kind for magic, kind in self.MAGIC.items() if bytes(self.data or b"").startswith(magic))
        self.mime = f"image/{(format or next(kinds, 'png')).lower().replace('jpg', 'jpeg')}"


def shown_as(name, mime):
    return type(name, (Shown,), {"mime": mime})


DISPLAY_CLASSES = [
    Shown, JSON, Image, shown_as("HTML", "text/html"), shown_as("Latex", "text/latex"),
    shown_as("Markdown", "text/markdown"), shown_as("SVG", "image/svg+xml"),
    shown_as("Javascript", "application/javascript"),
]  # fmt: skip


class PyplotFinder:
    """Finds matplotlib.pyplot as the others do, and has its show() send the figures."""

    def __init__(self, show):
        self.show = show

    def find_spec(self, name, path=None, target=None):
        if name != "matplotlib.pyplot":
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                module.show = self.show

            spec.loader.exec_module = exec_module
        return spec


# ---- A context's process: the loop -------------------------------------------------------------

FUTURES = 0
for feature in __future__.all_feature_names:
    FUTURES |= getattr(__future__, feature).compiler_flag
CO_COROUTINE = 0x80
PARSED = _ast.PyCF_ONLY_AST
AWAITING = _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Unreadable(Exception):
    """What came is no code object."""


def unmarshalled(text):
    try:
        code = marshal.loads(a2b_base64(text))
    except (EOFError, ValueError, TypeError) as error:
        raise Unreadable from error
    if type(code) is not types.CodeType:
        raise Unreadable
    return code


def ends_in_semicolon(code, node):
    """Whether nothing but brackets, comments and a semicolon follow the last expression."""
    lines = code.encode("utf-8", "replace").split(b"\n")[node.end_lineno - 1 :]
    lines[0] = lines[0][node.end_col_offset :]
    rest = b"".join(line.partition(b"#")[0] for line in lines)
    return rest.translate(None, b" \t\f\\)") == b";"


class Context:
    """One namespace, and the code that is executed in it. It lives in a process of its own.

    A handler that the user has set for a signal may raise at any line of this class. What the loop
    has got to is therefore kept in `frame` and `outcome`, and each step can be begun again.
    """

    def __init__(self, sock, guard):
        self.guard = guard  # keeps names from the code, or None
        self.send_all, self.receive_some = sock.sendall, sock.recv
        self.lock = _thread.RLock()  # a handler may display while its thread does
        self.pid, self.thread = getpid(), _thread.get_ident()
        self.received = []  # pieces of the next frame
        self.frame = self.outcome = self.leaving = None
        self.id = None  # of the execution that results belong to
        self.armed = self.late = False  # an interrupt may raise; one came when it might not
        self.futures, self.loop, self.sources, self.shown = 0, None, [], []
        self.tracing = None, None
        self.lent = {}  # variables of the environment that are of one execution, and what they were
        self.spare = [high(os.dup(fd)) for fd in range(3)]
        self.streams = [sys.stdout, sys.stderr]
        for stream in self.streams:
            stream.reconfigure(line_buffering=True)
        signal(SIGINT, self.on_interrupt)
        self.own_main = sys.modules["__main__"]  # kept alive
        self.main = types.ModuleType("__main__")
        self.main.__builtins__ = builtins
        self.namespace = vars(self.main)
        if guard:
            atexit.register(guard.end, self.namespace)
        self.provide()

    def provide(self):
        """Puts in place what the code finds there."""
        module = types.ModuleType("belljar_display", "What display() shows as more than text.")
        for kind in DISPLAY_CLASSES:
            kind.__module__ = module.__name__
            setattr(module, kind.__name__, kind)

        def display(*objects, raw=False, metadata=None):
            """Shows objects as rich as they are; raw: they are dicts of data by MIME type."""
            self.display(*objects, raw=raw, metadata=metadata)

        module.display = builtins.display = display
        sys.modules.update({"__main__": self.main, "belljar_display": module})
        sys.meta_path.insert(0, PyplotFinder(lambda *args, **options: self.show_figures()))
        sys.argv = [""]
        sys.path.insert(0, "")

    def run(self):
        """Executes what comes; ends with the exception that is to end the process."""
        while self.leaving is None:
            try:
                if self.frame is None:
                    self.receive()
                if self.outcome is None:
                    self.execute()
                if self.leaving is None:
                    self.id = None  # what a thread shows from here on is printed
                    if self.guard:
                        self.guard.leave()
                    self.give_back()
                    self.tell({"type": "done", "id": self.frame["id"], "status": self.outcome})
                    self.frame = self.outcome = None
            except BaseException as error:
                self.astray(error)
        self.mend()
        signal(SIGINT, signals.default_int_handler)  # for threads that do not end
        raise self.leaving

    def astray(self, error):
        """Sees to an exception of a handler that ran between the lines of this class."""
        self.armed = False
        if is_a(error, SystemExit) or getpid() != self.pid:
            self.leave(error)
        elif self.frame is not None and self.outcome is None:
            self.conclude(error)
        elif not is_a(error, KeyboardInterrupt):  # one of those is too late
            complain(error)

    def receive(self):
        """Takes the next frame. What recv() gives is in the list before a handler can run."""
        while True:
            have, need = sum(map(len, self.received)), 4
            if have >= 4:
                need += int.from_bytes(b"".join(self.received[:4])[:4], "little")
            if have == need > 4:
                break
            try:
                self.received.extend(map(self.receive_some, (min(need - have, CHUNK),)))
            except ConnectionError:
                _exit(1)
            if not self.received[-1]:
                _exit(0)  # the driver is gone
        self.frame = decoded(b"".join(self.received)[4:])
        self.received = []

    def tell(self, frame):
        """Sends a frame whole: nothing may raise while a half of it is sent."""
        data = packed(frame)
        armed = self.armed and _thread.get_ident() == self.thread
        if armed:
            self.armed = False
        mask = pthread_sigmask(SIG_BLOCK, ())
        try:
            pthread_sigmask(SIG_BLOCK, ALL_SIGNALS)
            with self.lock:
                self.send_all(data)
        except OSError:
            _exit(1)  # the code has closed the socket, or the driver is gone
        finally:
            pthread_sigmask(SIG_SETMASK, mask)
        if armed:
            self.arm()

    # -- interrupts, and the ends of processes

    def on_interrupt(self, *_):
        """Raises in the user's code only; what comes too early waits, what comes too late is nothing."""
        self.late = not self.armed
        if self.armed:
            raise KeyboardInterrupt

    def arm(self):
        self.armed = True
        if self.late:
            self.late = False
            raise KeyboardInterrupt

    def attempt(self, function, *args):
        """Calls it where an interrupt may end it; answers with what it raised."""
        try:
            self.arm()
            function(*args)
            self.armed = False
        except BaseException as error:
            self.armed = False
            return error
        return None

    def leave(self, error):
        """Ends this process as its code wants it; one that the code has forked ends as a program does."""
        if error is not None and not is_a(error, SystemExit):
            complain(error)
        self.leaving = error if is_a(error, SystemExit) else SystemExit(0 if error is None else 1)

    # -- an execution

    def execute(self):
        self.id, self.shown, self.late = self.frame["id"], [], False
        self.mend()
        self.tell({"type": "begun", "id": self.id})
        if self.guard:
            self.guard.enter()
        failure = self.attempt(self.evaluate, self.frame["code"], self.frame["title"])
        if getpid() != self.pid:
            return self.leave(failure)
        trouble = self.attempt(self.show_figures)
        self.conclude(trouble if failure is None else failure)

    def conclude(self, failure):
        if is_a(failure, SystemExit):
            self.attempt(self.flush)
            return self.leave(failure)
        if failure is not None and not is_a(failure, Unreadable):
            self.report(failure)
        self.attempt(self.flush)
        if failure is None:
            self.outcome = "ok"
        elif is_a(failure, Unreadable):
            self.outcome = "unreadable"
        else:
            self.outcome = "interrupted" if is_a(failure, KeyboardInterrupt) else "error"

    def evaluate(self, code, title):
        self.lend(self.frame["env"])
        if self.frame["marshalled"]:
            return self.step(unmarshalled(code))
        code = code.replace("\r\n", "\n").replace("\r", "\n")
        self.remember(title, code)
        tree = self.compiled(code, title, "exec", PARSED)
        last = tree.body.pop() if tree.body and type(tree.body[-1]) is _ast.Expr else None
        first = self.compiled(tree, title, "exec")
        self.futures |= first.co_flags & FUTURES
        if last is not None:
            second = self.compiled(_ast.Expression(last.value), title, "eval")
        if tree.body:
            self.step(first)
        if last is not None:
            value = self.step(second)
            if value is not None and not ends_in_semicolon(code, last):
                builtins._ = value
                self.result(value, main=True)

    def lend(self, variables):
        """Sets variables of the environment until the end of the execution."""
        for name, value in variables.items():
            self.lent.setdefault(name, environ.get(name))
            environ[name] = value

    def give_back(self):
        for name, value in list(self.lent.items()):
            try:
                if value is None:
                    environ.pop(name, None)
                else:
                    environ[name] = value
            except Exception:  # the user has been at the module
                pass
        self.lent = {}

    def compiled(self, source, title, mode, flags=0):
        return compile(source, title, mode, self.futures | AWAITING | flags, True)

    def step(self, code):
        """Runs compiled code the way the user has left the interpreter."""
        self.namespace.pop("__warningregistry__", None)  # else line 1 warns once, in all cells
        self.namespace.setdefault("__builtins__", builtins)
        trace, profile = self.tracing
        setprofile(profile)
        settrace(trace)
        try:
            value = eval(code, self.namespace)
            return self.wait_for(value) if code.co_flags & CO_COROUTINE else value
        finally:
            self.tracing = gettrace(), getprofile()
            settrace(None)
            setprofile(None)
            if getrecursionlimit() < LEAST_RECURSION:
                setrecursionlimit(LEAST_RECURSION)

    def wait_for(self, coroutine):
        """Top-level await: on a loop that stays."""
        import asyncio

        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        task = self.loop.create_task(coroutine)
        try:
            return self.loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                self.loop.run_until_complete(asyncio.wait({task}))
            if not task.cancelled():
                task.exception()  # asked for, or the loop complains later
            raise

    def remember(self, title, code):
        """Keeps the source for tracebacks, and as much of the former ones as there is room for."""
        try:
            lines = [line + "\n" for line in code.split("\n")]
            linecache.cache[title] = (len(code), None, lines, title)
            self.sources.append((title, len(code)))
            while sum(size for _, size in self.sources) > SOURCES_KEPT and len(self.sources) > 1:
                linecache.cache.pop(self.sources.pop(0)[0], None)
        except Exception:  # the user has been at the module
            pass

    def report(self, error):
        """Sends an error. Its text is the user's code to make, so that an interrupt may end that."""
        texts = ["", f"{name_of_type(type(error))}\n"]

        def describe():
            texts[:] = said(str, error), trace_of(error)

        self.attempt(describe)
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, traceback_of(error)
        sys.last_exc = error
        value, trace = (cut(text, LARGEST_ERROR - 100) for text in texts)
        self.tell(error_frame(self.id, name_of_type(type(error)), value, trace))

    # -- results

    def result(self, value, main=False):
        if instance_of(value, "matplotlib.figure", "Figure"):
            self.shown.append(value)
        self.pass_on(*bundle_of(value), main)

    def pass_on(self, data, metadata, main=False):
        if getpid() != self.pid or self.id is None:  # nobody would take it for a result
            print(data.get("text/plain", ""), flush=True)
        else:
            self.flush()  # what was printed before comes before
            self.tell(result_frame(self.id, main, data, metadata))

    def display(self, *objects, raw, metadata):
        for value in objects:
            if raw:
                data, about = {}, {}
                add(data, about, (value, metadata))
                self.pass_on(data, about)
            else:
                self.result(value)

    def show_figures(self):
        """Sends pyplot's open figures, but those that have been shown, and closes all."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if not hasattr(pyplot, "get_fignums"):
            return
        for figure in [pyplot.figure(number) for number in pyplot.get_fignums()]:
            if all(figure is not each for each in self.shown):
                self.result(figure)
        pyplot.close("all")

    # -- the standard streams

    def mend(self):
        """Opens what the user has closed; what is redirected stays so."""
        for fd, spare in enumerate(self.spare):
            try:
                fstat(fd)
            except OSError:
                dup2(spare, fd)
        errors = ("strict", "strict", "backslashreplace")
        for fd, name in enumerate(("stdin", "stdout", "stderr")):
            stream = getattr(sys, name, self)
            if stream is self or getattr(stream, "closed", False) is True:
                setattr(sys, name, open(fd, "w" if fd else "r", 1, "utf-8", errors[fd], closefd=False))
        sys.modules["__main__"] = self.main

    def flush(self):
        for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None), *self.streams):
            try:
                stream.flush()
            except Exception:
                pass


# ---- Contexts of other languages ---------------------------------------------------------------


def become_node(sock, program):
    signal(SIGINT, SIG_DFL)  # it is told of none before it has said that it has begun
    fd = sock.detach()
    os.set_inheritable(fd, True)
    os.execv(TOOL, [TOOL, "-e", program, str(fd)])


class Shell:
    """A Bash that reads code from us, and says over a pipe how each piece ended.

    It believes itself interactive, since only then SIGINT ends what it is at and not itself.
    """

    FDS = (200, 201, 202)  # of code, of statuses, and stderr until it is up
    BEGIN = "PS1= PS2= PROMPT_COMMAND=; unset HISTFILE; set +H +m +o history; shopt -u expand_aliases; exec 2>&202 202>&-\n"
    EXECUTE = (
        "IFS= read -r -d '' -u 200 __belljar; eval \"$__belljar\" </dev/null 200<&- 201>&-\n"
        "printf '%s\\0' $? >&201\n"
    )

    def __init__(self, sock):
        self.sock = sock
        self.interrupted = False
        signal(SIGINT, self.on_interrupt)
        lines, self.lines = os.pipe()
        codes, self.codes = os.pipe()
        self.ends, ends = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal(SIGINT, SIG_DFL)
            for fd in (self.lines, self.codes, self.ends):
                close(fd)
            for number, fd in zip(self.FDS, (codes, ends, os.dup(2))):
                os.dup2(fd, number)
            os.dup2(lines, 0)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where it says that it has no terminal
            os.execv(TOOL, [TOOL, "--norc", "--noprofile", "--noediting", "-i"])
        for fd in (lines, codes, ends):
            close(fd)
        put(self.lines, self.BEGIN)

    def on_interrupt(self, *_):
        self.interrupted = True

    def run(self):
        while True:
            frame = self.receive()
            if frame is None:
                break
            self.execute(frame)

    def receive(self):
        data = self.exactly(4)
        body = data and self.exactly(int.from_bytes(data, "little"))
        return body and decoded(body)

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.sock.recv(min(size - len(data), CHUNK))
            if not part:
                return None  # the driver is gone
            data += part
        return bytes(data)

    def execute(self, frame):
        id, code = frame["id"], frame["code"]
        self.interrupted = False
        self.tell({"type": "begun", "id": id})
        lent = "".join(f"export {name}={quoted(value)}\n" for name, value in frame["env"].items() if name.isidentifier())
        try:
            put(self.lines, self.EXECUTE)
            put(self.codes, f"{lent}{code}".replace("\0", "") + "\0")
        except BrokenPipeError:
            pass  # it has ended since
        status = self.status()
        if status == 130 and self.interrupted:
            self.tell({"type": "done", "id": id, "status": "interrupted", "exit_code": status})
        else:
            if status:
                self.tell(error_frame(id, "ExitStatus", str(status), f"exit status {status}"))
            self.tell({"type": "done", "id": id, "status": "error" if status else "ok", "exit_code": status})

    def status(self):
        """What it says of the code; where it has ended, this process ends as it did."""
        said = b""
        while not said.endswith(b"\0"):
            part = os.read(self.ends, 64)
            if not part:
                _, status = os.waitpid(self.pid, 0)
                if os.WIFSIGNALED(status):
                    if os.WTERMSIG(status) != SIGKILL:
                        signal(os.WTERMSIG(status), SIG_DFL)
                    os.kill(getpid(), os.WTERMSIG(status))
                _exit(os.waitstatus_to_exitcode(status) & 0xFF)
            said += part
        last = said[:-1].rpartition(b"\0")[2]  # its code may have said something too
        return int(last) if last.isdigit() and len(last) < 4 else 1

    def tell(self, frame):
        self.sock.sendall(packed(frame))


def put(fd, text):
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(fd, data) :]


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


# ---- The start ---------------------------------------------------------------------------------


def high(fd):
    """Moves a descriptor to where programs do not look for theirs, close-on-exec."""
    for least in (960, 200, 10):
        try:
            moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
        except (OSError, ValueError):
            continue  # the limit is lower
        close(fd)
        return moved
    return fd


def guard_of(path, how):
    """What keeps names from the code while that runs: a class in a file of Belljar's."""
    import asyncio  # which nothing can import any more while it runs

    asyncio.new_event_loop().close()  # nor what it imports when it is first used
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    hide(path)
    names = {"__name__": "belljar_guard"}
    exec(code, names)
    return names["NameKeeper"](how, globals())


def hide(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def main():
    """Comes back in the process of a context, with its end of the socket to the driver."""
    for name in (HIDDEN, BESIDE):
        hide(name)  # by its name in a cell, so that nobody loses the file it was made of
    control = high(0)
    null = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: 0
    os.set_inheritable(null, True)
    os.environ.setdefault("MPLBACKEND", "Agg")
    try:
        Driver(socket(fileno=control)).run()
    except Forked as forked:
        return forked.args[0]


if __name__ == "__main__":
    beside = open(BESIDE).read() if LANGUAGE == "node" else None
    guard = guard_of(*sys.argv[1:]) if len(sys.argv) > 1 and not LANGUAGE else None
    ours = main()
    ours = socket(fileno=high(ours.detach()))
    if LANGUAGE == "node":
        become_node(ours, beside)
    if LANGUAGE == "bash":
        Shell(ours).run()
    else:
        Context(ours, guard).run()
