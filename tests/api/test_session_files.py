"""The files of a session from outside, while its processes are frozen; and what a hostile session puts in the way."""

import os
import signal

import pytest

from support.client import PATIENCE
from support.command import wait_until

PAUSED = "the session is paused"


@pytest.fixture(scope="module")
def service(service_maker):
    return service_maker("--concurrent", "2", "--pool", "4")


@pytest.fixture
def session(service):
    with service.session() as session:
        yield session


def target(session, path=None):
    return f"{session.path}/files" + ("" if path is None else f"/{path}")


def listed(service, session):
    answer = service.get(target(session))
    assert answer.status == 200, answer
    return answer.json


def paths(service, session):
    return [each["path"] for each in listed(service, session)["files"]]


def read(service, session, path):
    answer = service.get(target(session, path))
    assert answer.status == 200, answer
    assert answer.headers["Content-Disposition"] == "attachment"
    return answer.body


def write(service, session, path, content):
    answer = service.call("PUT", target(session, path), content)
    assert answer.status == 200, answer
    return answer.json


def refusal(service, session, path, method="GET", body=None):
    answer = service.call(method, target(session, path), body)
    assert answer.status >= 400, answer
    return answer.status, answer.json["detail"]


# ---- What it is for ----


def test_files_go_in_and_out(service, session):
    raw = bytes(range(256)) * 300
    assert write(service, session, "in/data.csv", raw) == {"path": "in/data.csv", "bytes": len(raw), "mime": "text/csv"}
    assert session.value("open('in/data.csv', 'rb').read() == bytes(range(256)) * 300") == "True"
    session.execute("import os; os.utime('in/data.csv', (0, 86400)); open('out.TXT', 'w').write('made')")
    assert listed(service, session) == {
        "omitted": 0, "truncated": False,
        "files": [
            {"path": "in/data.csv", "bytes": len(raw), "mime": "text/csv", "modified_at": "1970-01-02T00:00:00.000Z"},
            {**listed(service, session)["files"][1], "path": "out.TXT", "bytes": 4, "mime": "text/plain"},
        ],
    }  # fmt: skip
    assert read(service, session, "in/data.csv") == raw and read(service, session, "out.TXT") == b"made"
    assert service.call("DELETE", target(session, "out.TXT")).json == {"path": "out.TXT"}
    assert service.call("DELETE", target(session, "in/data.csv")).status == 200
    assert service.call("DELETE", target(session, "in")).status == 200  # a folder without anything in it
    assert session.value("import os; os.listdir()") == "[]"
    assert read(service, session, target_of(service, session, "")) == b""
    for path in ("out.TXT", "in/data.csv"):
        assert refusal(service, session, path) == (404, f"path: '{path}' is not there")
        assert refusal(service, session, path, "DELETE")[0] == 404


def target_of(service, session, content):
    write(service, session, "empty", content.encode())
    return "empty"


def test_a_file_takes_the_place_of_another_whole(service, session):
    session.execute("held = open('a', 'w+'); held.write('old' * 1000); held.flush()")
    write(service, session, "a", b"new")
    assert session.value("held.seek(0), len(held.read()), open('a').read()") == "(0, 3000, 'new')"
    assert paths(service, session) == ["a"]


def test_no_process_of_it_runs_meanwhile(service, session):
    session.execute("""
import itertools, threading
def count():
    with open('count', 'r+') as file:
        for n in itertools.count():
            file.seek(0)
            file.write(f'{n:09}')
            file.flush()
open('count', 'w').write('0' * 9)
threading.Thread(target=count, daemon=True).start()
import time; time.sleep(0.1)
""")
    seen = {read(service, session, "count") for _ in range(5)}
    assert len(seen) == 1
    session.execute("time.sleep(0.1)")
    assert read(service, session, "count") not in seen  # the control: it did go on


def test_they_come_after_what_was_asked_before(service, session):
    later = session.ask("import time; time.sleep(1); open('late', 'w').write('there')", query="")
    assert later.status == 202
    assert read(service, session, "late") == b"there"


def test_they_are_nobody_elses(service, session):
    write(service, session, "mine", b"1")
    with service.session() as other:
        assert paths(service, other) == []
    gone = service.session()
    gone.quit()
    for method, path in (("GET", None), ("GET", "mine"), ("PUT", "mine"), ("DELETE", "mine")):
        answer = service.call(method, target(gone, path), b"x" if method == "PUT" else None)
        assert answer.status == 409 and "has ended" in answer.json["detail"]
        assert service.call(method, target(session, path).replace(session.id, "ses_0"), None).status == 404
    assert read(service, session, "mine") == b"1"


# ---- Hostile sessions ----


def test_links_are_not_followed(service, session):
    session.execute("""
import os
os.mkdir('real'); open('real/file', 'w').write('plain')
os.symlink('real/file', 'link'); os.symlink('real', 'folder')
os.symlink('/proc/1/status', 'init'); os.symlink('/', 'root'); os.symlink('/box/real/file', 'absolute')
os.symlink('loop', 'loop')
""")
    assert session.value("open('folder/file').read() + open('root/box/link').read()") == "'plainplain'"  # they work inside
    assert read(service, session, "real/file") == b"plain"
    assert paths(service, session) == ["real/file"]
    for path in ("link", "init", "absolute", "loop"):
        status, detail = refusal(service, session, path)
        assert (status, detail) == (409, f"path: '{path}' is a symbolic link, or leads through one")
    for path in ("folder/file", "root/etc/passwd", "root/proc/self/status", "loop/file"):
        assert refusal(service, session, path)[0] == 409
        assert refusal(service, session, path, "PUT", b"x")[0] == 409
        assert refusal(service, session, path, "DELETE")[0] == 409
    write(service, session, "link", b"mine")
    assert service.call("DELETE", target(session, "absolute")).status == 200
    assert session.value("open('real/file').read(), os.path.islink('link'), os.path.lexists('absolute')") == (
        "('plain', False, False)"
    )


def test_what_is_no_file_is_not_opened(service, session):
    session.execute("""
import os, socket
os.mkfifo('fifo')
door = socket.socket(socket.AF_UNIX); door.bind('door')
os.mkdir('folder'); open('folder/in', 'w')
try:
    os.mknod('device', 0o20666, os.makedev(1, 5))
except PermissionError as error:
    print(error.errno)
""")
    assert session.value("os.path.exists('fifo'), os.path.exists('device')") == "(True, False)"
    assert paths(service, session) == ["folder/in"]
    for path in ("fifo", "door"):
        assert refusal(service, session, path) == (409, f"path: '{path}' is no regular file")
    assert refusal(service, session, "folder") == (409, "path: 'folder' is a folder")
    assert refusal(service, session, "folder", "PUT", b"x") == (409, "path: 'folder' is a folder")
    assert refusal(service, session, "folder", "DELETE") == (409, "path: 'folder' is a folder that is not empty")
    assert refusal(service, session, "fifo/x", "PUT", b"x") == (409, "path: 'fifo/x' leads through what is no folder")
    write(service, session, "fifo", b"now a file")
    assert service.call("DELETE", target(session, "door")).status == 200
    assert paths(service, session) == ["fifo", "folder/in"]


def test_a_file_of_two_names_loses_only_one(service, session):
    session.execute("import os; open('one', 'w').write('both'); os.link('one', 'two')")
    assert read(service, session, "one") == read(service, session, "two") == b"both"
    write(service, session, "one", b"alone")
    assert session.value("open('one').read(), open('two').read()") == "('alone', 'both')"


def test_names_that_no_request_has_are_counted(service, session):
    session.execute(r"""
for name in (b'\xff\xfe', b'line\nline', b'esc\x1b[2J', 'ä b%2F?#"'.encode()):
    open(name, 'w').write('x')
""")
    assert listed(service, session)["omitted"] == 3
    assert paths(service, session) == ['ä b%2F?#"']
    assert read(service, session, "%C3%A4%20b%252F%3F%23%22") == b"x"
    for path in ("%FF%FE", "line%0Aline", "esc%1B%5B2J"):
        assert refusal(service, session, path)[0] == 400
        assert refusal(service, session, path, "DELETE")[0] == 400


@pytest.mark.parametrize("path", [
    "..", "../x", "a/../../x", "a/..", ".", "./x", "a//b", "a/", "%2Fetc/passwd", "%2e%2e/x", "..%2f..%2fetc%2fpasswd",
    "a%00b", "a" * 1025, "/".join("a" * 33),
])  # fmt: skip
def test_a_path_is_below_the_box(service, session, path):
    for method, body in (("GET", None), ("PUT", b"x"), ("DELETE", None)):
        status, detail = refusal(service, session, path, method, body)
        assert status == 400, detail
    assert paths(service, session) == []
    write(service, session, "/".join("a" * 32), b"x")  # the control: the deepest there may be
    assert len(paths(service, session)) == 1


def test_sizes_are_limited_and_the_limit_is_named(service):
    with service.session(limits={"artifacts": "64K", "box": "1M"}) as session:
        session.execute("import os; open('fits', 'wb').write(bytes(65536)); open('sparse', 'w').truncate(8 << 20)")
        assert read(service, session, "fits") == bytes(65536)
        status, detail = refusal(service, session, "sparse")
        assert status == 400 and "limits.artifacts" in detail and "64.0 KiB" in detail
        sizes = {each["path"]: each["bytes"] for each in listed(service, session)["files"]}
        assert sizes == {"fits": 65536, "sparse": 8 << 20}
        status, detail = refusal(service, session, "fits", "PUT", bytes(2 << 20))
        assert status == 409 and "limits.box" in detail
        assert paths(service, session) == ["fits", "sparse"] and read(service, session, "fits") == bytes(65536)
        write(service, session, "more", bytes(1 << 19))


def test_a_list_has_an_end(service, session):
    session.execute("""
import os
os.makedirs('d/' * 40)
os.mkdir('many')
for n in range(10_050): open(f'many/{n}', 'w').close()
""")
    found = listed(service, session)
    assert len(found["files"]) == 10_000 and found["truncated"]
    session.execute("import shutil; shutil.rmtree('many')")
    found = listed(service, session)
    assert found["files"] == [] and found["truncated"]  # for what is deeper than any path
    session.execute("shutil.rmtree('d')")
    assert listed(service, session) == {"files": [], "omitted": 0, "truncated": False}


def test_a_lease_holds_nobody_up(service, session):
    made = session.execute("""
import fcntl, os, signal
signal.signal(signal.SIGIO, signal.SIG_IGN)
open('leased', 'w').write('x')
held = open('leased', 'r+')
fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
fcntl.fcntl(held, fcntl.F_GETLEASE) == fcntl.F_WRLCK
""")
    assert made["results"][0]["data"]["text/plain"] == "True", made
    status, detail = refusal(service, session, "leased")
    assert status == 409 and "leased" in detail
    write(service, session, "leased", b"new")
    assert read(service, session, "leased") == b"new"


def test_what_a_session_locks_stays_its_own_affair(service, session):
    session.execute("""
import os
os.mkdir('shut'); open('shut/in', 'w'); os.chmod('shut', 0)
open('secret', 'w'); os.chmod('secret', 0)
os.mkdir('taken'); os.mkdir('taken/.belljar-upload'); os.mkdir('taken/.belljar-upload/x')
""")
    assert paths(service, session) == ["secret"]
    for path, method in (("shut/in", "GET"), ("shut/in", "PUT"), ("secret", "GET"), ("taken/file", "PUT")):
        status, detail = refusal(service, session, path, method, b"x" if method == "PUT" else None)
        assert status == 409 and path in detail
    write(service, session, "secret", b"open")
    assert session.value("open('secret').read()") == "'open'"


def test_what_is_written_counts_as_the_sessions_memory(service):
    with service.session(limits={"memory": "64M", "box": "60M"}) as full:
        full.execute("x = bytearray(b'x') * (20 << 20)")
        statuses = [service.call("PUT", target(full, str(n)), bytes(15 << 20)).status for n in range(4)]
        assert set(statuses) <= {200, 409, 503} and statuses[0] == 200
        # Past its memory it ends, as it would by writing so much itself; within it goes on.
        made = full.ask("len(x)")
        if made.status == 200 and made.json["status"] == "ended":
            assert made.json["ended_by"] == "memory_limit"
    with service.session() as other:
        assert other.value("1 + 1") == "2"


# ---- Paused by its caller ----


def test_a_paused_session_executes_nothing_until_it_is_resumed(service, session):
    session.execute("x = 1; open('kept', 'w').write('kept')")
    for _ in range(2):
        assert service.post(session.path + "/pause").json["state"] == "paused"
    for path, body in (("/executions?wait", {"code": "x"}), ("/contexts", {"name": "c"}), ("/contexts/default/restart", None)):
        answer = service.post(session.path + path, body)
        assert answer.status == 409 and answer.json["detail"] == PAUSED + ": resume it first"
    assert service.post(session.path + "/interrupt").status == 409
    assert read(service, session, "kept") == b"kept" and write(service, session, "more", b"x")
    assert session.look()["state"] == "paused"
    for _ in range(2):
        assert service.post(session.path + "/resume").json["state"] == "idle"
    assert session.value("x, open('more').read()") == "(1, 'x')"


def test_what_executes_something_is_not_paused(service, session):
    code = "import time\nprint('on', flush=True)\ntime.sleep(600)"
    slow = session.ask(code, query="").json["id"]
    with service.events(f"{session.path}/executions/{slow}/events") as events:
        events.take(lambda event: event.name == "stdout")
    answer = service.post(session.path + "/pause")
    assert answer.status == 409 and "is executed" in answer.json["detail"]
    service.post(session.path + "/interrupt")
    assert service.get(f"{session.path}/executions/{slow}?wait").json["status"] == "interrupted"
    assert service.post(session.path + "/pause").json["state"] == "paused"


def test_a_pause_stops_the_time_of_idleness_and_not_that_of_life(service):
    with service.session(idle=1) as kept, service.session(idle=1) as left, service.session(ttl=2) as short:
        for session in (kept, short):
            assert service.post(session.path + "/pause").json["state"] == "paused"
        for session, why in ((left, "nothing was executed"), (short, "time to live")):
            wait_until(lambda session=session: session.look()["state"] == "ended", "it to end", PATIENCE)
            assert why in session.look()["reason"]
            assert service.post(session.path + "/pause").status == service.post(session.path + "/resume").status == 409
        assert kept.look()["state"] == "paused"
        assert service.post(kept.path + "/resume").status == 200 and kept.value("1") == "1"


# ---- An init that does not answer ----


@pytest.mark.skipif(os.getuid() != 0, reason="only root can stop the first process of a cell")
def test_an_init_that_never_answers_is_ended_with_its_session(serve):
    service = serve("--pool", "0", "--session-spares", "0")
    stuck = service.session()
    write(service, stuck, "kept", b"x")
    (init,) = service.wardens[0].children()
    processes = [init, *init.children()]
    with service.session() as other:
        os.kill(init.pid, signal.SIGSTOP)
        answer = service.get(target(stuck, "kept"))
        assert answer.status == 503, answer
        # Others were not held up, and it has ended with all that it had.
        write(service, other, "kept", b"y")
        assert stuck.look()["state"] == "ended"
        wait_until(lambda: not any(each.is_there() for each in processes), "its processes to go", PATIENCE)
        assert len(service.wardens[0].children()) == 1
        assert read(service, other, "kept") == b"y"
    wait_until(lambda: service.wardens[0].children() == [], "the other's processes to go", PATIENCE)
    service.assert_nothing_fell()
