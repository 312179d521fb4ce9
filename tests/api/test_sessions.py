"""Sessions over HTTP: state that stays, what is executed when, and what ends one."""

import os
import pathlib
import signal
import time

import pytest

from service import READY, Session
from support.client import PATIENCE
from support.command import wait_until

CGROUPS = pathlib.Path("/sys/fs/cgroup")
HANG = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + READY + "time.sleep(600)"


@pytest.fixture(scope="module", params=["cold", "warm"])
def service(service_maker, request):
    """What a session begins with must make no difference: nothing, or an interpreter that waited."""
    return service_maker("--concurrent", "2", "--pool", "0" if request.param == "cold" else "4")


@pytest.fixture(scope="module")
def cold(service_maker):
    """One whose warden has the processes of sessions below it and no others."""
    return service_maker("--concurrent", "2", "--pool", "0", "--session-spares", "0")


@pytest.fixture
def session(service):
    with service.session() as session:
        yield session


def inside(cold):
    """The processes of all its cells: those below inits, which are the warden's children."""
    return [each for warden in cold.wardens for init in warden.children() for each in init.children()]


# ---- State ----


def test_what_one_execution_sets_the_next_one_has(session):
    first = session.execute("import math\nx = 20\ndef f(n): return n + x\nprint('said')")
    assert (first["status"], first["stdout"]["text"], first["results"]) == ("ok", "said\n", [])
    assert session.value("f(1), math.floor(2.5)") == "(21, 2)"
    assert session.value("x = 3; f(1)") == "4"
    look = session.look()
    assert (look["state"], look["executions"], look["contexts"]) == ("idle", 3, ["default"])


def test_and_nobody_else_has_it(service, session):
    session.execute("x = 1; open('kept', 'w').write('mine'); open('/tmp/kept', 'w').write('mine')")
    with service.session() as other:
        assert other.execute("x")["error"]["name"] == "NameError"
        assert other.value("import os; os.listdir('/box'), os.listdir('/tmp')") == "([], [])"
    assert service.run("import os; print(os.listdir())")["outcome"]["stages"][-1]["stdout"]["text"] == "['main.py']\n"
    assert session.value("open('kept').read(), open('/tmp/kept').read()") == "('mine', 'mine')"


SERVE_ABSTRACT = """
import socket, threading
door = socket.socket(socket.AF_UNIX)
door.bind('\\0belljar-door')
door.listen()
tcp = socket.create_server(('127.0.0.1', 4711))
"""
KNOCK = """
import os, socket
found = []
for family, place in ((socket.AF_UNIX, '\\0belljar-door'), (socket.AF_INET, ('127.0.0.1', 4711))):
    try:
        socket.socket(family).connect(place)
        found.append(place)
    except OSError:
        pass
found, [int(each) for each in os.listdir('/proc') if each.isdigit() and int(each) > 64], os.getuid()
"""


def test_two_sessions_meet_nowhere(service, session):
    session.execute(SERVE_ABSTRACT)
    own = session.value("import os; os.getuid()")
    assert session.value(KNOCK).startswith("([")  # the control: it does find what is its own
    assert session.value("len(found)") == "2"
    with service.session() as other:
        assert other.value("import os; os.getuid()") != own
        assert other.value(KNOCK).startswith("([], [], ")


def test_files_and_environment_come_with_it(service):
    files = [{"path": "lib/data.txt", "content": "given"}, {"path": "helper.py", "content": "x = 7"}]
    with service.session(files=files, env={"MODE": "deep"}) as session:
        assert session.value("import os, helper; helper.x, os.environ['MODE']") == "(7, 'deep')"
        assert session.value("open('lib/data.txt').read(), sorted(os.listdir())") == (
            "('given', ['__pycache__', 'helper.py', 'lib'])"
        )
        made = session.execute("open('plot.png', 'wb').write(bytes(9)); print('x')")
        assert made["files"] == [{"path": "plot.png", "bytes": 9, "mime": "image/png"}]


def test_contexts_share_files_and_nothing_else(service, session):
    assert service.post(session.path + "/contexts", {"name": "second"}).json["contexts"] == ["default", "second"]
    session.execute("x = 'first'; open('shared', 'w').write('both')")
    session.execute("x = 'second'", context="second")
    assert session.value("x, open('shared').read()") == "('first', 'both')"
    assert session.value("x, open('shared').read()", context="second") == "('second', 'both')"
    assert service.post(session.path + "/contexts/second/restart").status == 200
    assert session.execute("x", context="second")["error"]["name"] == "NameError"
    assert session.value("x") == "'first'"
    assert service.call("DELETE", session.path + "/contexts/second").json["contexts"] == ["default"]
    assert session.ask("1", context="second").status == 404
    for method, path, body, status in (
        ("POST", "/contexts", {"name": "default"}, 409),
        ("POST", "/contexts", {"name": "not a name"}, 400),
        ("POST", "/contexts/second/restart", None, 404),
        ("DELETE", "/contexts/default", None, 400),
        ("DELETE", "/contexts/second", None, 404),
    ):
        assert service.call(method, session.path + path, body).status == status, path


OTHERS = {
    "javascript": ("let x = 20; require('fs').writeFileSync('kept', 'mine')", "console.log(x + 1)", "throw new Error('no')",
                   "console.log('on'); while (true);", "process.exit(3)"),
    "bash": ("x=20; printf mine > kept", "echo $((x + 1))", "false", "echo on; while :; do :; done", "exit 3"),
}  # fmt: skip


@pytest.mark.parametrize("language", sorted(OTHERS))
def test_other_languages_have_sessions(service, language):
    begin, more, wrong, hang, leave = OTHERS[language]
    with service.session(language=language) as session:
        look = session.look()
        assert (look["language"], look["state"]) == (language, "idle") and look["version"][0].isdigit()
        assert session.execute(begin)["files"] == [{"path": "kept", "bytes": 4, "mime": "application/octet-stream"}]
        assert session.execute(more)["stdout"]["text"] == "21\n"
        failed = session.execute(wrong)
        assert failed["status"] == "error" and failed["error"]["name"]
        late = session.execute(hang, limits={"wall": 1})
        assert (late["status"], late["clock"], late["stdout"]["text"]) == ("timeout", "wall", "on\n"), late
        assert session.execute(more)["stdout"]["text"] == "21\n"
        assert service.get(session.path + "/files/kept").body == b"mine"
        left = session.execute(leave)
        assert (left["status"], left["exit_code"]) == ("exited", 3)
        assert session.execute(more)["stdout"]["text"] != "21\n"


def test_a_language_says_whether_it_has_sessions(service):
    found = {each["name"] for each in service.get("/v1/languages").json["languages"] if each["sessions"]}
    assert found == {"python", "javascript", "bash"}
    answer = service.post("/v1/sessions", {"language": "perl"})
    assert answer.status == 400 and "there are no sessions of Perl" in answer.json["detail"]


# ---- Results ----


def test_values_come_by_their_types(session):
    made = session.execute("""
from belljar_display import HTML, JSON
display(HTML('<b>bold</b>'), JSON({'a': [1]}))
class Picture:
    def _repr_png_(self): return b'\\x89PNG'
    def __repr__(self): return 'a picture'
Picture()
""")
    shown = [(each["main"], each["data"]) for each in made["results"]]
    assert [main for main, _ in shown] == [False, False, True]
    assert shown[0][1]["text/html"] == "<b>bold</b>" and shown[1][1]["application/json"] == {"a": [1]}
    assert shown[2][1] == {"text/plain": "a picture", "image/png": "iVBORw=="}


def test_errors_have_name_value_and_traceback(session):
    error = session.execute("def f():\n    return {}['k']\n\nf()")["error"]
    assert (error["name"], error["value"]) == ("KeyError", "'k'")
    assert "line 2, in f" in error["traceback"] and "belljar" not in error["traceback"]
    assert session.execute("if True print(1)")["error"]["name"] == "SyntaxError"
    assert session.value("await __import__('asyncio').sleep(0, 5)") == "5"


def test_an_execution_is_a_stream_of_events(service, session):
    code = "import time\nprint('one', flush=True)\ndisplay('two')\nprint('three')\n4"
    with service.events(session.path + "/executions?stream", method="POST", body={"code": code}) as events:
        taken = events.take(lambda event: event.name == "outcome")
        path = f"{session.path}/executions/{events.id}"
    names = [event.name for event in taken]
    assert names[0] == "status" and names[-1] == "outcome" and names.count("result") == 2
    assert b"".join(event.bytes for event in taken if event.name == "stdout") == b"one\nthree\n"
    assert taken[-1].data == service.get(path).json
    with service.events(path + "/events", after=taken[-2].number) as events:
        assert [event.name for event in events] == ["outcome"]
    later = session.ask("5", query="")
    assert later.status == 202
    assert service.get(later.headers["Location"] + "?wait").json["results"][0]["data"] == {"text/plain": "5"}


# ---- Limits and bills ----


@pytest.mark.parametrize("clock, code, limits", [
    ("wall", "import time; time.sleep(600)", {"wall": 1}),
    ("cpu", "while True: pass", {"cpu": 0.5}),
])  # fmt: skip
def test_past_a_limit_the_code_is_interrupted_and_the_state_stays(session, clock, code, limits):
    session.execute("x = 1")
    made = session.execute(code, limits=limits)
    assert (made["status"], made["clock"]) == ("timeout", clock), made
    assert made["error"]["name"] == "KeyboardInterrupt"
    assert session.value("x") == "1"


def test_what_does_not_heed_the_interruption_ends_with_its_session(cold):
    session = cold.session()
    made = session.execute(HANG, limits={"wall": 1})
    assert (made["status"], made["stdout"]["text"]) == ("ended", "ready\n")
    assert made["ended_by"] == "timeout" and "wall time" in made["reason"]
    answer = session.ask("1")
    assert answer.status == 409 and "has ended" in answer.json["detail"]
    assert inside(cold) == []


def test_each_execution_has_a_bill_of_its_own(session):
    burnt = session.execute("import time\nwhile time.process_time() < 0.5: pass")
    idle = session.execute("pass")
    assert burnt["usage"]["cpu_ms"] >= 250 > idle["usage"]["cpu_ms"]


def test_memory_ends_the_session(service):
    with service.session(limits={"memory": "64M"}) as session:
        made = session.execute("x = bytearray(200 << 20)")
        assert (made["status"], made["ended_by"]) == ("ended", "memory_limit"), made
        assert "memory over 64.0 MiB" in made["reason"]
        assert session.look()["state"] == "ended"


def test_output_is_cut_and_the_code_interrupted(session):
    made = session.execute("while True: print('x' * 1000)", limits={"output": "10K"})
    assert (made["status"], len(made["stdout"]["text"]), made["stdout"]["truncated"]) == ("output_limit", 10240, True)
    assert session.value("6 * 7") == "42"


def test_denied_calls_are_named(session):
    made = session.execute("import ctypes\nctypes.CDLL(None).mount(0, 0, 0, 0, 0)\nNone")
    assert {"name": "mount", "count": 1} in made["denied_syscalls"]
    assert session.execute("pass")["denied_syscalls"] == []


def test_an_interpreter_that_ends_is_replaced(session):
    session.execute("x = 1")
    assert session.execute("import os; os._exit(3)")["exit_code"] == 3
    assert session.execute("x")["error"]["name"] == "NameError"
    died = session.execute("import os; os.kill(os.getpid(), 11)")
    assert (died["status"], died["signal"]) == ("died", "SIGSEGV")
    assert session.value("6 * 7") == "42"


def test_an_interrupt_that_comes_late_is_of_nothing_that_comes_next(session):
    # What writes just over the limit is often over before its interrupt has come.
    for number in range(100):
        over = session.execute("print('x' * 1025)", limits={"output": 1024})
        assert over["status"] == "output_limit", over
        assert session.value(str(number)) == str(number)


def test_an_interrupt_ends_what_is_executed_and_no_more(service, session):
    assert service.post(session.path + "/interrupt").status == 409
    session.execute("x = 1")
    with service.events(session.path + "/executions?stream", method="POST",
                        body={"code": READY + "import time; time.sleep(600)"}) as events:  # fmt: skip
        events.take(lambda event: event.name == "stdout")
        assert session.look()["state"] == "running"
        assert service.post(session.path + "/interrupt").status == 202
        (outcome,) = [event for event in events if event.name == "outcome"]
    assert (outcome.data["status"], outcome.data["error"]["name"]) == ("interrupted", "KeyboardInterrupt")
    assert session.value("x") == "1"


# ---- Paused ----

BOMBS = """
import atexit, signal, threading, time
ticks = [0]
def tick():
    while True: ticks[0] += 1
threading.Thread(target=tick, daemon=True).start()
signal.signal(signal.SIGALRM, lambda *_: ticks.append('alarm'))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
atexit.register(lambda: open('/box/bomb', 'w').write('late'))
class Bomb:
    def __del__(self): ticks.append('del')
kept = Bomb()
"""


def times(processes):
    """Processor time of each, in ticks of the kernel."""
    fields = [pathlib.Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split() for each in processes]
    return [(int(each[11]), int(each[12])) for each in fields]


def test_nothing_left_behind_runs_while_it_is_paused(cold):
    with cold.session() as session:
        made = session.execute(BOMBS)
        assert made["status"] == "ok", made
        processes = inside(cold)
        processes += [child for each in processes for child in each.children()]
        assert len(processes) == 2  # the driver and the context's interpreter
        before = times(processes)
        time.sleep(0.5)
        assert times(processes) == before


def test_what_was_left_behind_is_billed_when_it_runs(session):
    session.execute(BOMBS)
    used = float(session.value("time.process_time()"))
    time.sleep(1)
    # A thread that never waits would have used most of that second.
    assert float(session.value("time.process_time()")) - used < 0.5
    assert session.execute("time.sleep(0.3)")["usage"]["cpu_ms"] > 20
    assert session.value("'alarm' in ticks") == "True"


# ---- Whose it is, and what ends it ----


def test_a_session_belongs_to_its_caller(service_maker):
    keyed = service_maker("--require-key")
    ada, bob = (keyed.create_key(name)[1] for name in ("ada", "bob"))
    with Session(keyed, key=ada) as session:
        session.execute("x = 1")
        for method, path, body in (
            ("GET", "", None), ("DELETE", "", None), ("POST", "/executions", {"code": "x"}),
            ("POST", "/interrupt", None), ("POST", "/contexts", {"name": "c"}),
            ("POST", "/contexts/default/restart", None), ("DELETE", "/contexts/c", None),
            ("GET", "/executions/exe_1", None), ("GET", "/executions/exe_1/events", None),
        ):  # fmt: skip
            answer = keyed.call(method, session.path + path, body, key=bob)
            assert answer.status == 404, (method, path, answer)
        assert keyed.get("/v1/sessions", key=bob).json["sessions"] == []
        assert keyed.get("/v1/sessions").status == 401
        assert [each["id"] for each in keyed.get("/v1/sessions", key=ada).json["sessions"]] == [session.id]
        assert session.value("x") == "1"


def test_quit_ends_what_is_executed(cold):
    session = cold.session()
    with cold.events(session.path + "/executions?stream", method="POST", body={"code": HANG}) as events:
        events.take(lambda event: event.name == "stdout")
        waiting = session.ask("1", query="").headers["Location"]
        session.quit()
        (outcome,) = [event for event in events if event.name == "outcome"]
    assert outcome.data["status"] == "ended"
    assert cold.get(waiting + "?wait").json["state"] == "lost"
    assert inside(cold) == []
    assert session.quit()["reason"] == "quit"  # again: it has ended


@pytest.mark.parametrize("field, reason", [("idle", "nothing was executed"), ("ttl", "time to live")])
def test_it_ends_by_itself(cold, field, reason):
    session = cold.session(**{field: "500ms"})
    look = wait_until(lambda: session.look() if session.look()["state"] == "ended" else None, "its end", PATIENCE)
    assert reason in look["reason"]
    wait_until(lambda: inside(cold) == [], "its processes to go", PATIENCE)


def hostile(start):
    """A session whose driver has this code of the caller's in it, before its own."""
    return {"files": [{"path": "sitecustomize.py", "content": start}], "env": {"PYTHONPATH": "/box"}}


FRAME = "import os, struct\ndef say(text): os.write(0, struct.pack('<I', len(text)) + text)\n"


@pytest.mark.parametrize("start", [
    "import os; os.write(0, b'\\xff' * 100)",
    "import os; os.write(0, b'\\1\\0')",
    "import os; os.close(0)",
    "import os; os._exit(3)",
    FRAME + "say(b'{')",
    FRAME + "say(b'[' * 1000000)",
    FRAME + """say(b'{"type":"ready","version":1}' * 2)""",
    FRAME + """say(b'{"type":"result","id":1,"main":true,"data":{"x":1e999}}')""",
    FRAME + """say(b'{"type":"done","id":1,"status":"ok"}')\nos._exit(0)""",
    "raise SystemExit(1)",
])  # fmt: skip
def test_a_driver_that_lies_gets_no_session_and_harms_nobody(cold, start):
    with cold.session() as other:
        answer = cold.post("/v1/sessions", hostile(start))
        if answer.status == 201:  # some of it can be borne
            cold.call("DELETE", f"/v1/sessions/{answer.json['id']}")
        else:
            assert answer.status == 503 and "interpreter" in answer.json["detail"], answer
        assert other.value("6 * 7") == "42"
    wait_until(lambda: inside(cold) == [], "what it left to go", PATIENCE)
    cold.assert_nothing_fell()


CHATTER = """
import os, threading, time
def talk():
    while True:
        for stream in (1, 2): os.write(stream, b'x' * 1000)
        time.sleep(0.0005)
threading.Thread(target=talk, daemon=True).start()
"""
READIES = FRAME + """
import threading, time
def talk():
    number = 0
    while True:
        number += 1
        say(b'{"type":"ready","version":"%s"}' % (b'9' * (number % 4000)))
        say(b'{"type":"result","id":1,"main":true,"data":{"x":[1e308,1e-300]}}')
        time.sleep(0.0005)
threading.Thread(target=talk, daemon=True).start()
"""


@pytest.mark.parametrize("start", [CHATTER, READIES], ids=["output", "frames"])
def test_a_driver_that_never_is_quiet_is_heard_out(service, start):
    with service.session(**hostile(start)) as session:
        for _ in range(5):
            made = session.execute("6 * 7")
            assert made["status"] in ("ok", "output_limit", "ended"), made
            session.look()
            if made["status"] == "ended":
                break
    service.assert_nothing_fell()


def test_a_session_that_kills_its_driver_ends_alone(service, session):
    with service.session() as other:
        other.execute("x = 1")
        made = session.execute("import os; os.kill(os.getppid(), 9)")
        assert made["status"] == "ended", made
        assert other.value("x") == "1"


def test_a_gateway_that_is_killed_loses_no_session(serve):
    service = serve("--pool", "0", "--session-spares", "0")
    sessions = [service.session(limits={"memory": "96M"}) for _ in range(3)]
    for number, each in enumerate(sessions):
        each.execute(f"x = {number}; open('kept', 'w').write(str(x))")
    service.post(sessions[0].path + "/contexts", {"name": "second"})
    sessions[0].execute("y = 'there'", context="second")
    # It goes on printing, so that there is something unread when nobody reads.
    talk = READY + "import time\nwhile True:\n    print('more', flush=True)\n    time.sleep(0.001)"
    running = sessions[1].ask(talk, query="")
    path = running.headers["Location"] + "/events"
    with service.events(path) as events:
        events.take(lambda event: event.name == "stdout")
    before = [each.look() for each in sessions]
    warden = service.wardens[0].pid
    service.kill("gateway")
    wait_until(lambda: len(service.logged("ready")) == 2, "the next gateway", PATIENCE)
    assert [each.pid for each in service.wardens] == [warden]
    after = [each.look() for each in sessions]
    assert [each["state"] for each in after] == ["idle"] * 3
    for was, now in zip(before, after):
        for same in ("id", "created_at", "ttl_ms", "limits", "contexts", "walls", "policy", "language"):
            assert now[same] == was[same], same
    for number, each in enumerate(sessions):
        assert each.value("x, open('kept').read()") == f"({number}, '{number}')"
    assert sessions[0].value("y", context="second") == "'there'"
    service.post(sessions[2].path + "/pause")
    service.kill("gateway")  # and once more
    wait_until(lambda: len(service.logged("ready")) == 3, "the next gateway", PATIENCE)
    assert [each.look()["state"] for each in sessions] == ["idle", "idle", "paused"]
    assert service.get(sessions[2].path + "/files/kept").body == b"2"
    service.post(sessions[2].path + "/resume")
    assert [each.value("x") for each in sessions] == ["0", "1", "2"]
    for each in sessions:
        each.quit()
    wait_until(lambda: inside(service) == [], "their processes to go", PATIENCE)


def at_rest(service):
    """How many cells its wardens do no more than listen to: the descriptors in the second epoll of each, two for a cell."""
    told = 0
    for warden in service.wardens:
        process = pathlib.Path(f"/proc/{warden.pid}")
        numbers = sorted((each.name for each in (process / "fd").iterdir()), key=int)
        epolls = [each for each in numbers if "eventpoll" in os.readlink(process / "fd" / each)]
        told += (process / "fdinfo" / epolls[1]).read_text().count("tfd:") // 2
    return told


def test_what_has_rested_is_as_it_was(serve):
    service = serve("--pool", "0", "--session-spares", "0")
    sessions = [service.session() for _ in range(4)]
    for number, each in enumerate(sessions):
        each.execute(f"x = {number}; open('kept', 'w').write(str(x))")
    wait_until(lambda: at_rest(service) == 4, "all to rest", PATIENCE)
    assert sessions[0].value("x") == "0"
    assert service.get(sessions[1].path + "/files/kept").body == b"1"
    assert service.post(sessions[2].path + "/pause").json["state"] == "paused"
    wait_until(lambda: at_rest(service) == 4, "all to rest again", PATIENCE)
    # What dies meanwhile is heard of without asking.
    os.kill(service.wardens[0].children()[0].pid, signal.SIGKILL)
    wait_until(lambda: any(each.look()["state"] == "ended" for each in sessions), "its end to be told", PATIENCE)
    left = [each for each in sessions if each.look()["state"] != "ended"]
    assert len(left) == 3 and at_rest(service) == 3
    service.kill("gateway")
    wait_until(lambda: len(service.logged("ready")) == 2, "the next gateway", PATIENCE)
    wait_until(lambda: at_rest(service) == 3, "all to rest at the next gateway", PATIENCE)
    service.post(sessions[2].path + "/resume")
    for number, each in enumerate(sessions):
        if each in left:
            assert each.value("x") == str(number)
            each.quit()
    wait_until(lambda: inside(service) == [], "their processes to go", PATIENCE)
    assert at_rest(service) == 0


def test_without_its_warden_a_session_has_ended(serve):
    service = serve()
    session = service.session()
    service.kill("warden")
    assert session.ask("1").status in (409, 503)
    assert session.look()["state"] == "ended"
    with service.session() as other:
        assert other.value("6 * 7") == "42"


def groups_of(process):
    """The folders of a process's control groups."""
    found = set()
    for line in pathlib.Path(f"/proc/{process.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        places = [controllers.removeprefix("name=")] if controllers else ["unified", "."]
        found.update(folder for each in places if (folder := CGROUPS / each / path.lstrip("/")).is_dir())
    return {each for each in found if "belljar" in each.parts}


def test_many_come_and_go_and_leave_nothing(serve):
    count = 500 if os.environ.get("BELLJAR_TEST_FULL") else 40
    room = str(count)
    service = serve("--sessions", room, "--sessions-per-caller", room, "--pool", "0", "--session-spares", "0")

    def round_of(number):
        sessions = [service.session() for _ in range(number)]
        for mark, each in enumerate(sessions):
            each.execute(f"x = {mark}")
            assert service.post(each.path + "/pause").json["state"] == "paused"
            assert service.call("PUT", f"{each.path}/files/mark", str(mark)).status == 200
        # All of them are there, and stand still.
        assert len(inside(service)) == number
        groups = set().union(*map(groups_of, inside(service)))
        assert len(groups) >= number
        for mark, each in enumerate(sessions):
            assert service.post(each.path + "/resume").json["state"] == "idle"
            assert each.value("x, open('mark').read()") == f"({mark}, '{mark}')"
        for each in sessions:
            each.quit()
        wait_until(lambda: inside(service) == [], "their processes to go", PATIENCE)
        wait_until(lambda: not any(map(pathlib.Path.exists, groups)), "their groups to go", PATIENCE)

    def descriptors():
        return [len(os.listdir(f"/proc/{each.pid}/fd")) for each in (service.gateway, *service.wardens)]

    round_of(5)
    before = descriptors()
    round_of(count)
    # The last connection of a client is closed a moment after its answer.
    wait_until(lambda: descriptors() <= before, f"the descriptors of before, {before}", PATIENCE)


def test_who_asks_for_nothing_special_does_not_wait_for_an_interpreter(serve):
    service = serve("--session-spares", "2", "--pool", "0")

    def waiting():
        return len(inside(service)) == 3  # the drivers of one session and two spares

    first = service.session()
    wait_until(waiting, "two spares", PATIENCE)
    ids = {each.pid for each in inside(service)}
    with service.session() as second:
        second.execute("x = 1")
        assert first.execute("x")["error"]["name"] == "NameError"
        wait_until(lambda: len(inside(service)) == 4, "another spare", PATIENCE)
        assert ids < {each.pid for each in inside(service)}  # one that waited was taken
        first.quit()
    with service.session(limits={"memory": "96M"}) as other:  # not from them
        assert len({each.pid for each in inside(service)} - ids) == 2
        assert other.look()["limits"]["memory_bytes"] == 96 << 20


def test_memory_of_sessions_is_held_while_they_are_paused(serve):
    service = serve("--memory", "400M", "--session-spares", "0")
    with service.session(limits={"memory": "300M"}) as first, service.session() as second:
        first.execute("x = bytearray(200 << 20)")
        answer = second.ask("1")
        assert answer.status == 429 and "the sessions hold" in answer.json["detail"], answer
        first.quit()
        assert second.value("6 * 7") == "42"


def test_there_is_room_for_so_many(serve):
    service = serve("--sessions", "3", "--sessions-per-caller", "2")
    sessions = [service.session() for _ in range(2)]
    answer = service.post("/v1/sessions", {})
    assert answer.status == 429 and "as many as one caller may" in answer.json["detail"]
    sessions[0].quit()
    service.session().quit()
    sessions[1].quit()


# ---- What is refused ----


@pytest.mark.parametrize("fields, status, detail", [
    ({"language": "cobol"}, 404, "cobol"),
    ({"language": "ruby"}, 400, "there are no sessions of Ruby"),
    ({"limits": {"memory": "64G"}}, 403, "limits.memory"),
    ({"limits": {"memory": "none"}}, 400, "limits.memory"),
    ({"ttl": "9000s"}, 403, "ttl: must be at most"),
    ({"idle": 0}, 400, "idle: must be a number of seconds"),
    ({"idle": -1}, 400, "idle"),
    ({"more": 1}, 400, "more: unknown field"),
    ({"files": []}, 400, "files"),
    ({"files": [{"path": "../x", "content": ""}]}, 400, "files[0].path"),
    ({"policy": "nothing"}, 400, "nothing"),
])  # fmt: skip
def test_a_session_that_is_refused(serve_short, fields, status, detail):
    answer = serve_short.post("/v1/sessions", fields)
    assert answer.status == status and detail in answer.json["detail"], answer


@pytest.fixture(scope="module")
def serve_short(service_maker):
    return service_maker("--session-ttl", "3600s")


@pytest.mark.parametrize("fields, status, detail", [
    ({}, 400, "code: must be a string"),
    ({"code": 1}, 400, "code: must be a string"),
    ({"code": "1", "context": ""}, 400, "context: must be"),
    ({"code": "1", "context": "none"}, 404, "none"),
    ({"code": "1", "limits": {"memory": "1M"}}, 400, "limits: an execution has wall, cpu and output"),
    ({"code": "1", "limits": {"wall": "2h"}}, 400, "limits.wall"),
    ({"code": "1", "limits": {"wall": "7200s"}}, 403, "limits.wall"),
    ({"code": "1", "more": 1}, 400, "more: unknown field"),
])  # fmt: skip
def test_an_execution_that_is_refused(service, session, fields, status, detail):
    answer = service.post(session.path + "/executions?wait", fields)
    assert answer.status == status and detail in answer.json["detail"], answer
    assert session.value("1") == "1"
