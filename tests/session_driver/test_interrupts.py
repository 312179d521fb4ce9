"""SIGINT to the driver ends what executes, and nothing else."""

import pytest

LOOP = "print('begun', flush=True)\nwhile True: pass"


def test_an_interrupt_ends_a_loop_and_keeps_the_state(driver):
    driver.ok("x = 1")
    driver.begin(LOOP)
    driver.wait_for("begun")
    driver.interrupt()
    answer = driver.answer()
    assert answer.status == "interrupted" and answer.error["name"] == "KeyboardInterrupt"
    assert '"<cell 2>", line ' in answer.error["traceback"]
    assert driver.ok("x").text == "1"


@pytest.mark.parametrize(
    "code",
    [
        "import time; print('begun', flush=True); time.sleep(1000)",
        "import subprocess; subprocess.run('echo begun; sleep 1000', shell=True)",
        "import asyncio; print('begun', flush=True); await asyncio.sleep(1000)",
        "import threading; print('begun', flush=True); threading.Event().wait()",
        "class C:\n    def __repr__(self):\n        print('begun', flush=True)\n        while True: pass\nC()",
        "class C(Exception):\n    def __str__(self):\n        print('begun', flush=True)\n        while True: pass\nraise C",
        "import threading\nt = threading.Thread(target=lambda: [0 for _ in iter(int, 1)], daemon=True)\nt.start()\n" + LOOP,
    ],
)  # fmt: skip
def test_what_can_be_interrupted(driver, code):
    driver.begin(code)
    driver.wait_for("begun")
    driver.interrupt()
    assert driver.answer().status in ("interrupted", "error")
    assert driver.ok("1").text == "1"


def test_an_interrupt_at_once_is_not_lost(driver):
    for _ in range(20):
        driver.begin("while True: pass")
        # The op is on its way, and may not have been read; one that comes before it is ignored.
        while not driver.control_is_read():
            pass
        driver.interrupt()
        assert driver.answer().status == "interrupted"


def test_between_executions_it_is_ignored(driver):
    driver.ok("x = 1")
    for _ in range(20):
        driver.interrupt()
        for _ in range(2):  # what comes together with an execution is taken for one of that
            driver.op("nothing", context="default")
        assert driver.ok("sum(range(10000)); x").text == "1"


def test_code_may_catch_it_and_be_interrupted_again(driver):
    driver.begin("for i in range(2):\n    try:\n        print(f'round {i}', flush=True)\n        while True: pass\n    except KeyboardInterrupt:\n        pass\ni")
    for i in range(2):
        driver.wait_for(f"round {i}")
        driver.interrupt()
    answer = driver.answer()
    assert answer.status == "ok" and answer.text == "1"


def test_a_handler_of_the_users_stays(driver):
    driver.ok("import signal\nhits = []\nold = signal.signal(signal.SIGINT, lambda *_: hits.append(1))")
    driver.begin("print('begun', flush=True)\nwhile not hits: pass\n'hit'")
    driver.wait_for("begun")
    driver.interrupt()
    assert driver.answer().text == "'hit'"
    driver.ok("signal.signal(signal.SIGINT, old)")
    driver.begin(LOOP)
    driver.wait_for("begun")
    driver.interrupt()
    assert driver.answer().status == "interrupted"


def test_an_interrupt_tears_no_frame(driver):
    """Results that are sent again and again, and interrupts among them, with a thread to take those."""
    driver.ok("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\nx = 'x' * 900000")
    for i in range(15):
        driver.begin(f"print('loop {i} ', flush=True)\nwhile True: display(x)")
        driver.wait_for(f"loop {i} ")
        driver.interrupt()
        assert driver.answer().status == "interrupted"
    assert driver.ok("len(x)").text == "900000"


def test_other_handlers_may_raise_at_any_moment(driver):
    driver.ok(
        "import signal\nclass Late(Exception): pass\ndef late(*_): raise Late\n"
        "old = signal.signal(signal.SIGALRM, late)\nx = 1"
    )
    for i in range(40):
        assert driver.run(f"_ = signal.setitimer(signal.ITIMER_REAL, {(i % 8 + 1) * 1e-4})").status in ("ok", "error")
    while driver.run("signal.setitimer(signal.ITIMER_REAL, 0)").status != "ok":
        pass
    assert driver.ok("x").text == "1"


def test_the_driver_ignores_what_its_children_send_it(driver):
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGALRM", "SIGQUIT", "SIGPIPE", "SIGRTMIN"):
        driver.ok(f"import os, signal; os.kill(os.getppid(), signal.{name})")
    driver.ok("for _ in range(1000): os.kill(os.getppid(), signal.SIGCHLD)")
    assert driver.run("os.kill(os.getppid(), signal.SIGINT)\nwhile True: pass").status == "interrupted"
    assert driver.ok("signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, ())").text == (
        "(<Handlers.SIG_DFL: 0>, set())"
    )
