"""Code that is up to something ends its own context at the worst."""

import os

import pytest

# Finds the context's socket as hostile code would, and speaks over it.
FORGE = """
import gc, json, os, socket, sys
fds = [int(fd) for fd in os.listdir('/proc/self/fd')]
fd = [fd for fd in fds if os.path.exists(f'/proc/self/fd/{fd}') and os.readlink(f'/proc/self/fd/{fd}').startswith('socket:')][0]
def raw(data):
    data = memoryview(data)
    while data:
        data = data[os.write(fd, data):]
def say(*frames):
    for frame in frames:
        body = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        raw(len(body).to_bytes(4, 'little') + body)
def my_id():
    return [o for o in gc.get_objects() if type(o).__name__ == 'Context'][0].id
"""


@pytest.fixture
def forger(driver):
    driver.ok(FORGE)
    return driver


def lives_on(driver):
    assert driver.ok("40 + 2").text == "42"


TORN = {
    "a length that no frame has": "raw(b'\\xff\\xff\\xff\\xff')",
    "no JSON": "say(b'{nothing}')",
    "no UTF-8": "say(b'\\xff\\xfe')",
    "no object": "say(b'[1, 2]')",
    "two objects": "say(b'{}{}')",
    "an empty frame": "say(b'')",
    "deep": "say(b'{\"id\":' * 200000)",
    "deeper in lists": "say(b'{\"id\":' + b'[' * 1000000)",
    "no type": "say({'id': my_id()})",
    "a type of its own": "say({'type': 'ready', 'version': '9', 'id': my_id()})",
    "a done that no child may say": "say({'type': 'done', 'id': my_id(), 'status': 'died'})",
    "a done of no status": "say({'type': 'done', 'id': my_id(), 'status': ['ok']})",
    "a result without data": "say({'type': 'result', 'id': my_id(), 'main': True, 'metadata': {}})",
    "a result of lists": "say({'type': 'result', 'id': my_id(), 'main': 1, 'data': [], 'metadata': []})",
    "an error of numbers": "say({'type': 'error', 'id': my_id(), 'name': 1, 'value': 2, 'traceback': 3})",
    "a frame of blanks": "raw((8 << 20).to_bytes(4, 'little'))\nwhile True: raw(b' ' * 65536)",
    "infinity": "say({'type': 'result', 'id': my_id(), 'main': True, 'data': {'application/json': 10**400}, 'metadata': {}})",
}


@pytest.mark.parametrize("code", TORN.values(), ids=TORN)
def test_what_is_no_frame_ends_the_context(forger, code):
    answer = forger.run(f"{code}\nwhile True: pass")
    assert (answer.status, answer.done["signal"]) == ("died", "SIGKILL")
    assert answer.done["reason"]
    lives_on(forger)


def test_frames_of_other_executions_are_dropped(forger):
    forger.ok(
        "for id in (my_id() - 1, my_id() + 1, True, None, '3', 1.5, 10**30, -1):\n"
        "    say({'type': 'result', 'id': id, 'main': True, 'data': {'text/plain': 'forged'}, 'metadata': {}})\n"
        "    say({'type': 'done', 'id': id, 'status': 'ok'}, {'type': 'error', 'id': id}, {'type': 'what', 'id': id})\n"
        "say({}, {'type': 'ready'})"
    )
    lives_on(forger)


def test_a_forged_result_is_no_more_than_a_result(forger):
    answer = forger.ok(
        "say({'type': 'result', 'id': my_id(), 'main': False, 'data': {'text/plain': 'p', 'text/html': 5,"
        " 'x' * 300: 'y'}, 'metadata': {'m': 1}, 'omitted': [1, 'o'], 'extra': 1})"
    )
    result = answer.results[0]
    assert set(result) == {"type", "id", "main", "data", "metadata", "omitted"}
    assert result["data"] == {"text/plain": "p"} and result["metadata"] == {"m": 1}
    assert result["omitted"] == ["o", "text/html", "x" * 256]


def test_a_forged_result_cannot_swell_what_the_gateway_gets(forger):
    forger.ok(
        "numbers = '[' + '1e15,' * 1000000 + '1]'\n"
        "body = '{\"type\":\"result\",\"id\":%d,\"main\":false,\"metadata\":{},\"data\":{\"application/json\":%s}}'\n"
        "say((body % (my_id(), numbers)).encode())"
    )  # the test's own side asserts the size of every frame
    lives_on(forger)


def test_an_early_done_ends_the_execution_and_what_follows_is_dropped(forger):
    answer = forger.ok("say({'type': 'done', 'id': my_id(), 'status': 'ok'})\nopen('go', 'w').close(); display('late')")
    assert answer.shown == []
    lives_on(forger)


def test_done_before_the_code_was_read_is_no_answer(forger):
    """A thread that says the next execution is done, while that waits to be read."""
    forger.ok(
        "import threading\ndef lie():\n    while True:\n        say({'type': 'done', 'id': known + 1, 'status': 'ok'})\n"
        "known = my_id()\nthreading.Thread(target=lie, daemon=True).start()"
    )
    assert forger.run("x = '" + "c" * (8 << 20) + "'; 1").status in ("ok", "died")
    forger.op("restart_context", context="default")
    lives_on(forger)


FLOODS = {
    "of results": "while True: display('x' * 1000)",
    "of large results": "x = 'x' * 1000000\nwhile True: display(x)",
    "of wrong ids": "while True: say({'type': 'result', 'id': 0})",
    "of tiny frames": "while True: raw(b'\\2\\0\\0\\0{}' * 10000)",
}


@pytest.mark.parametrize("code", FLOODS.values(), ids=FLOODS)
def test_floods_end_with_an_interrupt(forger, code):
    forger.begin(f"print('begun', flush=True)\n{code}")
    forger.wait_for("begun")
    forger.interrupt()
    assert forger.answer().status in ("interrupted", "died")
    lives_on(forger)


def test_a_flood_that_nobody_reads_waits_in_the_child(forger):
    """The gateway does not read: the driver keeps no more than a few frames."""
    forger.begin("x = 'x' * 1000000\nfor i in range(150):\n    display(x)\n    open('sent', 'w').write(str(i))")
    sent = forger.folder / "sent"
    before = None
    while before is None or before != sent.read_text():  # until it stands still
        before = sent.read_text() if sent.exists() else None
        forger.quiet()
        if not sent.exists():
            before = None
    status = open(f"/proc/{forger.process.pid}/status").read()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 100_000, "kilobytes, of 150 MB"
    assert len(forger.answer().shown) == 150


def test_a_child_that_closes_its_socket(forger):
    answer = forger.run("os.close(fd)\nprint('on')\n1")
    assert (answer.status, answer.done["exit_code"]) == ("exited", 1)
    assert forger.stdout == "on\n"
    lives_on(forger)
    forger.ok("import socket, os; os.closerange(3, 100)")
    lives_on(forger)
    assert forger.run("os.closerange(3, 4096)").status == "exited"
    forger.ok(FORGE)
    forger.run("socket.socket(fileno=fd).shutdown(socket.SHUT_RDWR)")
    lives_on(forger)


def test_a_child_that_closed_its_socket_can_be_interrupted(forger):
    forger.begin("os.close(fd)\nprint('begun', flush=True)\nwhile True: pass")
    forger.wait_for("begun")
    forger.interrupt()
    assert forger.answer().status == "exited"
    lives_on(forger)


def test_a_socket_that_another_process_keeps_open(forger):
    answer = forger.run("import time\npid = os.fork()\nif not pid: time.sleep(1000)\nprint(pid, flush=True)\nos._exit(5)")
    assert (answer.status, answer.done["exit_code"]) == ("exited", 5)
    lives_on(forger)
    os.kill(int(forger.stdout), 9)
    forger.ok(FORGE)
    answer = forger.run(
        "if os.fork() == 0:\n    os.setsid()\n    frame = {'type': 'result', 'id': my_id()}\n"
        "    while True: say(frame)\nos._exit(6)"
    )
    assert answer.status in ("exited", "died"), "its forged frames may come before its end"
    lives_on(forger)


def test_half_a_frame_holds_up_its_own_execution_alone(forger):
    """It looks like one that is still being sent. The gateway's clock ends that; the driver goes on."""
    forger.begin("raw(b'\\x40\\0\\0\\0{')\nprint('sent', flush=True)\nwhile True: pass")
    forger.wait_for("sent")
    assert "in flight" in forger.op("create_context", context="other").done["reason"]
    pid = int(open(f"/proc/{forger.process.pid}/task/{forger.process.pid}/children").read())
    os.kill(pid, 9)
    assert forger.answer(forger.id - 1).status == "died"
    lives_on(forger)


def test_a_child_that_stops_reading(forger):
    """The driver does not wait for it: other contexts and other ops go on."""
    forger.ok("import signal, threading, time\npid = os.getpid()")
    forger.ok(
        "def stop():\n    while not os.path.exists('stop'): time.sleep(0.001)\n    os.kill(pid, signal.SIGSTOP)\n"
        "if os.fork() == 0:\n    os.setsid(); stop(); open('stopped', 'w').close(); os._exit(0)"
    )
    (forger.folder / "stop").touch()
    while not (forger.folder / "stopped").exists():
        pass
    forger.begin("'" + "c" * (15 << 20) + "'")
    forger.send({"op": "create_context", "id": 99, "context": "other"})
    assert "in flight" in forger.answer(99).done["reason"]
    stopped = int(open(f"/proc/{forger.process.pid}/task/{forger.process.pid}/children").read().split()[0])
    os.kill(stopped, 9)
    assert forger.answer().done["signal"] == "SIGKILL"
    lives_on(forger)


def test_children_of_the_code_end_silently(driver):
    answer = driver.ok("import os\npids = [os.fork() for _ in range(3)]\n[os.waitpid(p, 0)[1] for p in pids if p] if all(pids) else display('mine')")
    assert answer.text == "[0, 0, 0]"
    for code, status in (("1/0", 1), ("exit(3)", 3), ("5", 0), ("exit()", 0)):
        answer = driver.ok(f"pid = os.fork()\nif not pid:\n    {code}\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if pid else 0")
        assert answer.text == str(status) and len(answer.results) == 1
    assert "ZeroDivisionError" in driver.stderr
    driver.ok("import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: r = p.map(abs, [-1, -2])")
    assert driver.ok("r").text == "[1, 2]"


def test_forks_without_a_place_for_more(driver):
    answer = driver.run(
        "import os, resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n"
        "for _ in range(50):\n    if os.fork() == 0: __import__('time').sleep(1000)"
    )
    assert answer.status in ("ok", "error")
    driver.op("restart_context", context="default")
    lives_on(driver)


ENDS = {
    "os._exit": ("import os; os._exit(9)", "exited", 9, None),
    "SIGKILL": ("import os; os.kill(os.getpid(), 9)", "died", None, "SIGKILL"),
    "SIGKILL of its group": ("import os; os.kill(0, 9)", "died", None, "SIGKILL"),
    "abort": ("import os; os.abort()", "died", None, "SIGABRT"),
    "another program": ("import os; os.execv('/bin/sh', ['sh', '-c', 'exit 4'])", "exited", 4, None),
}


@pytest.mark.parametrize("code, status, exit_code, name", ENDS.values(), ids=ENDS)
def test_sudden_ends(driver, code, status, exit_code, name):
    answer = driver.run(code)
    assert (answer.status, answer.done["exit_code"], answer.done["signal"]) == (status, exit_code, name)
    lives_on(driver)


DAMAGE = {
    "closed streams": "import os\nfor fd in (0, 1, 2): os.close(fd)",
    "closed files": "import sys\nsys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
    "no streams": "import sys\ndel sys.stdout, sys.stderr, sys.stdin",
    "streams of None": "import sys\nsys.stdout = sys.stderr = None",
    "another folder": "import os; os.chdir('/')",
    "no environment": "import os; os.environ.clear()",
    "a trace": "import sys\nsys.settrace(lambda *_: 1 / 0)",
    "a profile": "import sys\nsys.setprofile(lambda *_: 1 / 0)",
    "a low limit": "import sys\nsys.setrecursionlimit(60)",
    "builtins": "import builtins\nfor n in ('len', 'print', 'type', 'min', 'compile', 'eval', 'isinstance', 'getattr', 'sum', 'map'): setattr(builtins, n, None)",
    "no builtins": "import builtins\nbuiltins.__dict__.clear()",
    "own builtins": "__builtins__ = {}",
    "json": "import json, json.encoder, json.decoder\nfor m in (json, json.encoder, json.decoder): [setattr(m, n, None) for n in dir(m) if n[:2] != '__']",
    "classes of json": "import json\njson.JSONEncoder.encode = json.JSONDecoder.decode = json.JSONDecoder.__init__ = None",
    "os": "import os\nfor n in dir(os):\n    if n[:2] != '__': setattr(os, n, None)",
    "signal": "import signal\nfor n in dir(signal):\n    if n[:2] != '__': setattr(signal, n, None)",
    "traceback": "import traceback, linecache\nfor m in (traceback, linecache): [setattr(m, n, None) for n in dir(m) if n[:2] != '__']",
    "a traceback that exits": "import traceback\ntraceback.TracebackException.__init__ = lambda *a, **k: exit()",
    "sources": "import linecache\nlinecache.cache = None",
    "socket": "import socket, _socket\n_socket.socket = socket.socket = None",
    "the import": "import builtins\nbuiltins.__import__ = None",
    "no modules": "import sys\nsys.modules.clear()",
    "no main": "import sys\ndel sys.modules['__main__']",
    "no finders": "import sys\nsys.meta_path.clear(); sys.path.clear()",
    "no names": "globals().clear()",
    "no display": "import builtins\ndel builtins.display",
    "hooks": "import sys\nsys.displayhook = sys.excepthook = sys.unraisablehook = None",
    "time": "import time\ntime.sleep = time.time_ns = None",
    "garbage": "import gc\ngc.disable(); gc.get_objects()[:] = []",
    "signals": "import signal\nfor n in signal.valid_signals() - {9, 19}:\n    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass",
    "a mask": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
    "threads": "import threading\nfor _ in range(10): threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "a frozen clock": "import sys\nsys.setswitchinterval(100)",
    "a few descriptors": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
    "all descriptors": "import os\nkept = []\ntry:\n    while True: kept.append(os.dup(1))\nexcept OSError: pass",
    "a loop that is closed": "import asyncio\nawait asyncio.sleep(0)\nasyncio.get_running_loop().close = None",
}


@pytest.mark.parametrize("code", DAMAGE.values(), ids=DAMAGE)
def test_later_executions_work_whatever_is_damaged(driver, code):
    assert driver.run(f"kept_here = 1\n{code}").status in ("ok", "error")
    driver.run("0")  # a trace that raises does so once more
    answer = driver.ok("40 + 2")
    assert answer.text == "42"
    answer = driver.run("raise LookupError('l')" if "builtins" not in code else "nothing_of_that_name")
    assert answer.status == "error" and answer.error["name"] in ("LookupError", "NameError")


def test_closed_streams_are_opened_again(driver):
    driver.ok("import os, sys\nfor fd in (0, 1, 2): os.close(fd)")
    driver.ok("print('out'); print('err', file=sys.stderr); os.system('echo of a program')")
    assert driver.stdout == "out\nof a program\n" and driver.stderr == "err\n"
    driver.ok("sys.stdout.close()")
    driver.ok("print('again')")
    assert driver.stdout == "again\n"
    assert driver.ok("sys.stdin.read()").text == "''"
    driver.ok("import io; sys.stdout = io.StringIO(); print('kept')")
    assert driver.ok("sys.stdout.getvalue()").text == "'kept\\n'", "what is redirected stays so"
    assert driver.stdout == ""


def test_traces_and_profiles_stay_and_see_no_driver(driver):
    driver.ok("import sys\nseen = []\nsys.settrace(lambda frame, *_: seen.append(frame.f_code.co_filename))")
    driver.ok("def f(): pass\nf()")
    driver.ok("sys.settrace(None)")
    files = driver.ok("sorted(set(seen))").text
    assert "<cell 2>" in files and ".belljar-session.py" not in files
