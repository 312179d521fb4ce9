"""Sessions of other languages: the same driver, with another interpreter for each context."""

import shutil

import pytest

from driver import TOOLS


@pytest.fixture
def node(start):
    return start(language="node")


@pytest.fixture
def bash(start):
    return start(language="bash")


@pytest.mark.parametrize("language", sorted(TOOLS))
def test_it_says_its_version_and_leaves_no_file_of_its_own(start, language):
    driver = start(language=language)
    assert driver.ready["version"][0].isdigit() and list(driver.folder.iterdir()) == []


# ---- JavaScript ----


def test_node_keeps_what_it_was_told(node):
    assert node.ok("let x = 20; const add = (n) => n + x; class A {}").main is None
    assert node.ok("add(1)").main == {"text/plain": "21"}
    assert node.ok("({a: [1, 'b']})").text == "{ a: [ 1, 'b' ] }" and node.ok("undefined").main is None
    assert node.ok("null").text == "null" and node.ok("({then(done) { done(1) }})").text.startswith("{ then:")
    node.ok("const fs = require('node:fs'); console.log('out'); console.error('err'); process.stdout.write('x')")
    assert (node.stdout, node.stderr) == ("out\nx", "err\n")
    assert node.ok("fs.writeFileSync('made.json', '{}'); 1").files == {"made.json": (2, "application/json")}
    assert node.ok("process.argv.length").text == "1"


def test_node_awaits_at_the_top(node):
    assert node.ok("const y = await new Promise((done) => setTimeout(done, 10, 5)); y + 1").text == "6"
    assert node.ok("y").text == "5"
    assert node.run("await Promise.reject(new RangeError('far'))").error["name"] == "RangeError"


def test_node_tells_errors(node):
    answer = node.run("function deep() {\n  throw new TypeError('no')\n}\ndeep()")
    assert answer.status == "error" and (answer.error["name"], answer.error["value"]) == ("TypeError", "no")
    assert "at deep (<cell 1>:2:9)" in answer.error["traceback"] and "node:" not in answer.error["traceback"]
    assert node.run("if (").error["name"] == "SyntaxError" and node.run("throw 5").error["name"] == "Uncaught"
    assert node.run("throw null").error["value"] == "null"
    odd = "({[Symbol.for('nodejs.util.inspect.custom')]() { throw 1 }})"
    assert "cannot be shown" in node.ok(odd).text
    node.ok("setTimeout(() => { throw new Error('late') }, 1); 1")
    node.quiet()
    assert "Error: late" in node.stderr


@pytest.mark.parametrize("code", [
    "console.log('on'); while (true);", "console.log('on'); await new Promise(() => {})",
    # Its own word comes from the shell: until that is there, the signal would come before what it is to end.
    "require('child_process').execSync('echo on; exec sleep 600', {stdio: 'inherit'})",
])  # fmt: skip
def test_node_is_interrupted_and_keeps_its_state(node, code):
    node.ok("x = 7")
    node.begin(code)
    node.wait_for("on\n")
    node.quiet()
    node.interrupt()
    answer = node.answer()
    assert (answer.status, answer.error["name"]) == ("interrupted", "Interrupted")
    assert node.ok("x").text == "7"


def test_node_that_ends_is_replaced(node):
    assert node.run("x = 1; process.exit(3)").done["exit_code"] == 3
    assert node.ok("typeof x").text == "'undefined'"
    died = node.run("process.kill(process.pid, 'SIGKILL'); while (true);")
    assert (died.status, died.done["signal"]) == ("died", "SIGKILL")


def test_what_node_forges_is_its_own(node):
    """Its code can write to the socket of its process; what is no frame ends that process and no more."""
    forge = """
const fs = require('fs');
for (const fd of fs.readdirSync('/proc/self/fd')) {
  let name = '';
  try { name = fs.readlinkSync(`/proc/self/fd/${fd}`); } catch {}
  if (name.startsWith('socket:')) fs.writeSync(Number(fd), Buffer.from('%s'%s));
}
while (true);
"""
    answer = node.run(forge % ("ffffff7f", ", 'hex'"))
    assert answer.status == "died" and "no answer" in answer.done["reason"]
    body = '{"type":"done","id":2,"status":"ok"}'
    assert node.run(forge % (chr(len(body)) + "\\0\\0\\0" + body, "")).status == "ok"  # a claim, for itself
    node.op("restart_context", context="default")
    assert node.ok("6 * 7").text == "42"


def test_a_context_of_node_is_a_process_of_its_own(node):
    node.ok("x = 1")
    assert node.op("create_context", context="second").status == "ok"
    assert node.ok("typeof x", context="second").text == "'undefined'" and node.ok("x").text == "1"


def test_variables_of_one_execution(start):
    for language, code, empty in (("node", "console.log(process.env.LENT)", "undefined\n"), ("bash", "echo $LENT", "\n")):
        driver = start(language=language)
        driver.ok(code, env={"LENT": "it's $x"})
        assert driver.stdout == "it's $x\n"
        if language == "node":
            driver.ok(code)
            assert driver.stdout == empty


# ---- Bash ----


def test_bash_keeps_what_it_was_told(bash):
    bash.ok("x=20; f() { echo $((x + $1)); }; mkdir d; cd d")
    bash.ok("f 1; basename \"$PWD\"; cat; echo err >&2")
    assert (bash.stdout, bash.stderr) == ("21\nd\n", "err\n")
    assert bash.ok("echo 1 > ../made.csv").files == {"made.csv": (2, "text/csv")}
    bash.ok("cat <<'EOF'\nseveral\nlines\nEOF\nprintf 'a\\0b'")
    assert bash.stdout == "several\nlines\na\0b"


def test_bash_tells_exit_statuses(bash):
    answer = bash.run("false")
    assert (answer.status, answer.done["exit_code"], answer.error["name"]) == ("error", 1, "ExitStatus")
    assert bash.ok("true").done["exit_code"] == 0
    assert bash.run("if (").status == "error" and "syntax error" in bash.stderr
    assert bash.run("exit 3").done["exit_code"] == 3
    died = bash.run("kill -9 $$")
    assert (died.status, died.done["signal"]) == ("died", "SIGKILL")
    assert bash.run("set -e; false").status == "exited"
    bash.ok("echo up")
    assert bash.stdout.endswith("up\n")


@pytest.mark.parametrize("code", [
    "echo on; while :; do :; done", "echo on; sleep 600; echo no", "f() { sleep 60; }; echo on; while :; do f; done",
    "echo on; cat /dev/zero | wc -c", "echo on; (while :; do :; done)",
])  # fmt: skip
def test_bash_is_interrupted_and_keeps_its_state(bash, code):
    bash.ok("x=7")
    bash.begin(code)
    bash.wait_for("on\n")
    bash.quiet()
    bash.interrupt()
    assert bash.answer().status == "interrupted"
    assert "no" not in bash.stdout.split()
    bash.ok("echo $x")
    assert bash.stdout.endswith("7\n")


def test_bash_has_no_hold_of_what_tells_its_status(bash):
    bash.run("printf '0\\0' >&201; echo late; false")
    assert "Bad file descriptor" in bash.stderr and bash.stdout == "late\n"
    assert bash.run("for fd in /proc/$$/fd/*; do printf 'x\\0' > $fd; done 2> /dev/null; false").status == "error"
    bash.op("restart_context", context="default")
    bash.ok("echo well")
    assert bash.stdout.endswith("well\n")


def test_the_tools_are_there():
    assert all(map(shutil.which, TOOLS.values()))
