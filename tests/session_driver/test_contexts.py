"""Contexts are apart; files that have changed are told of; the driver keeps to its protocol."""

import os
import signal

import pytest


def test_contexts_have_states_of_their_own(driver):
    assert driver.op("create_context", context="c1").status == "ok"
    driver.ok("x = 1")
    driver.ok("x = 2; import os; os.chdir('/')", "c1")
    assert driver.ok("x").text == "1" and driver.ok("x", "c1").text == "2"
    assert driver.ok("import os; os.getpid() == os.getsid(0) != os.getppid()").text == "True"
    assert driver.op("restart_context", context="c1").status == "ok"
    assert driver.run("x", "c1").error["name"] == "NameError"
    assert driver.ok("x").text == "1"
    assert driver.ok("1", "c1").done["count"] == 2
    assert driver.op("remove_context", context="c1").status == "ok"
    assert driver.ok("x").text == "1"


def test_ops_that_cannot_be(driver):
    cases = [
        {"op": "create_context", "context": "default"}, {"op": "remove_context", "context": "none"},
        {"op": "restart_context", "context": "none"}, {"op": "execute", "context": "none", "code": "1"},
        {"op": "execute", "context": "default", "code": 1}, {"op": "execute", "context": "default"},
        {"op": "execute", "context": ["default"], "code": "1"}, {"op": "fly", "context": "default"},
    ]  # fmt: skip
    for case in cases:
        answer = driver.op(**case)
        assert answer.status == "error" and answer.done["reason"] and answer.error is None
    assert driver.ok("1").done["count"] == 1


def test_one_op_at_a_time(driver):
    first = driver.begin("import os\nwhile not os.path.exists('go'): pass\n'over'")
    driver.send({"op": "create_context", "id": 99, "context": "c"})
    assert "in flight" in driver.answer(99).done["reason"]
    (driver.folder / "go").touch()
    assert driver.answer(first).text == "'over'"


def test_a_context_that_died_begins_anew_with_the_next_execution(driver):
    driver.ok("x = 1")
    pid = int(driver.ok("import os; os.getpid()").text)
    os.kill(pid, signal.SIGKILL)
    assert driver.run("x").status in ("died", "error")
    assert driver.run("x").error["name"] == "NameError"


def test_restart_and_remove_reach_what_the_code_started(driver):
    pid = int(driver.ok("import subprocess; p = subprocess.Popen(['sleep', '1000']); p.pid").text)
    driver.op("restart_context", context="default")
    wait_for_end(pid)


def wait_for_end(pid):
    """The end of a process that is not a child of this one."""
    while True:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] in "ZX":
                    return
        except FileNotFoundError:
            return


def test_exit_ends_the_driver_and_its_children(start):
    driver = start()
    pid = int(driver.ok("import os; os.getpid()").text)
    driver.send({"op": "exit"})
    assert driver.frame() is None
    assert driver.process.wait(60) == 0
    wait_for_end(pid)


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\4\0\0\0null", b"\2\0\0\0{]", b"\3\0\0\0{\xff}"])
def test_a_gateway_that_sends_no_frames_is_left(start, tmp_path, sent):
    from driver import Driver

    folder = tmp_path / "apart"
    folder.mkdir()
    driver = Driver(folder)
    driver.control.sendall(sent)
    assert driver.frame() is None
    assert driver.close() == 1


def test_frames_may_come_in_pieces_and_together(driver):
    code = "len('" + "c" * (15 << 20) + "')"
    assert driver.ok(code).text == str(15 << 20)
    driver.send(
        *({"op": op, "id": id, "context": "c"} for id, op in enumerate(("create_context", "remove_context"), 50))
    )
    assert driver.answer(50).status == driver.answer(51).status == "ok"


# ---- Descriptors


def test_code_finds_no_descriptors_but_its_streams(driver):
    answer = driver.ok("import os\nsorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4]")
    assert answer.text.startswith("[0, 1, 2, ")
    assert driver.ok("os.readlink('/proc/self/fd/0')").text == "'/dev/null'"
    driver.ok("os.system('ls /proc/self/fd | tr \"\\n\" \" \"')")
    assert driver.stdout == "0 1 2 3 ", "3 is of ls itself"


# ---- Files


def test_files_that_are_new_or_changed_are_told(driver):
    (driver.folder / "before.txt").write_text("old")
    answer = driver.ok("import os\nos.makedirs('sub/dir')\nfor n in ('a.csv', 'sub/dir/b.PNG', 'c'):\n    open(n, 'w').write('12345')")
    assert answer.files == {
        "a.csv": (5, "text/csv"),
        "c": (5, "application/octet-stream"),
        "sub/dir/b.PNG": (5, "image/png"),
    }
    assert driver.ok("1").files == {}
    assert driver.ok("open('a.csv', 'w').write('54321')").files == {"a.csv": (5, "text/csv")}
    assert driver.ok("os.utime('a.csv', ns=(0, 0)); os.rename('c', 'd.json')").files == {
        "a.csv": (5, "text/csv"),
        "d.json": (5, "application/json"),
    }
    assert driver.ok("os.remove('a.csv')").files == {}
    assert driver.run("open('e.md', 'w').close(); 1/0").files == {"e.md": (0, "text/markdown")}
    assert driver.run("open('f.svg', 'w').close(); os._exit(1)").files == {"f.svg": (0, "image/svg+xml")}


def test_a_file_that_is_written_again_at_once_is_told_each_time(driver):
    for i in range(10):
        assert driver.ok(f"open('same', 'w').write('{i}')").files == {"same": (1, "application/octet-stream")}


def test_only_files_below_the_folder_are_told_and_only_so_many(driver):
    code = "import os\nos.symlink('/etc/passwd', 'link'); os.symlink('/etc', 'folder'); os.mkfifo('fifo')\n"
    code += "os.symlink('.', 'loop')\nopen(b'\\xff', 'w').close()\nopen('/'.join(['.'] * 3) + '/ok', 'w').close()"
    assert list(driver.ok(code).files) == ["ok"]
    code = "for i in range(300):\n    open(f'n{i}', 'w').close()"
    assert len(driver.ok(code).files) == 200
    code = "p = '.'\nfor i in range(12):\n    p += '/p'; os.mkdir(p); open(p + '/x', 'w').close()"
    assert 5 < len(driver.ok(code).files) <= 12


def test_the_folder_is_the_one_of_the_start(driver):
    answer = driver.ok("import os\nhere = os.getcwd()\nos.chdir('/')\nopen(here + '/made', 'w').close()")
    assert list(answer.files) == ["made"]
    assert driver.ok("open(here + '/more', 'w').close(); os.getcwd()").text == "'/'"
    assert list(driver.ok("open(here + '/third', 'w').close()").files) == ["third"]
