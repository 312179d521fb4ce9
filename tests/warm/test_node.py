"""A Node that waits in a parked cell: within any limits, under any policy, and whatever befalls it."""

import contextlib

import pytest

from one import COLD, outcome_of
from support.command import scratch_folder, wait_until
from support.service import live_service
from test_channels import WARMING
from test_pool import processes_of

HELLO = "console.log('hello');\n"
WAYS = ("cold", "cell", "interpreter")
OPTIONS = ("--concurrent", "2", "--pool", "4", "--prewarm", "javascript", "--rate", "0")
CHANCE = """
const crypto = require("crypto"), fs = require("fs");
console.log([
  Math.random(), crypto.randomBytes(8).toString("hex"), crypto.randomUUID(), crypto.randomInt(2 ** 47), fs.mkdtempSync("/tmp/"),
  crypto.webcrypto.getRandomValues(new Uint32Array(2)).join(), crypto.generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x,
  require("vm").runInNewContext("Math.random()"),
].join("\\n"));
"""


def stage_of(source, way, *words, **fields):
    return outcome_of({"language": "javascript", "source": source, **fields}, way, *words)["stages"][-1]


def run(service, source=HELLO, **fields):
    return service.run(source, "javascript", **fields)["outcome"]["stages"][-1]


def warm(service, source=HELLO):
    """Has runs until one began in a Node that waited; answers with its stage."""
    for _ in range(WARMING):
        stage = run(service, source)
        assert stage["status"] == "ok", stage
        if stage["start"] == "interpreter":
            return stage
    raise AssertionError(f"none of {WARMING} runs began in an interpreter")


def waiting(service):
    """The Nodes in the cells that wait, or run."""
    found = []
    for cell in processes_of(service)["cell"]:
        with contextlib.suppress(OSError):
            found += [child for child in cell.children() if child.words()[0].endswith(b"/node")]
    return found


def same_end(one, other):
    return all(one[name] == other[name] for name in ("status", "exit_code", "stdout") if name in one)


@pytest.mark.parametrize("processes", [1, 16, 32])
def test_whatever_the_process_limit(processes):
    cold, *others = (stage_of(HELLO, way, limits=f"processes={processes},wall=2s") for way in WAYS)
    assert [same_end(cold, other) for other in others] == [True, True]
    if processes >= 16:
        assert [other["start"] for other in others] == ["cell", "interpreter"]


@pytest.mark.parametrize("files", [8, 32, 64, 128])
def test_whatever_the_limit_of_open_files(files):
    cold, *others = (stage_of(HELLO, way, limits=f"open_files={files}") for way in WAYS)
    assert [same_end(cold, other) for other in others] == [True, True]
    if files >= 64:
        assert [other["start"] for other in others] == ["cell", "interpreter"]
        assert cold["stdout"]["text"] == "hello\n"


@pytest.mark.parametrize("way", ["cold", "interpreter"])
@pytest.mark.parametrize("policy", ["strict", "safe-code-executor"])
def test_a_read_only_box_is_read_only(policy, way):
    source = "try { require('fs').writeFileSync('/box/x', ''); } catch (error) { console.log(error.code, require('./helper'), process.cwd()); }\n"
    stage = stage_of(source, way, "--policy", policy, files={"helper.js": "module.exports = 5;\n"})
    assert (stage["start"], stage["stdout"]["text"]) == (way, "EROFS 5 /box\n"), stage


def test_a_policy_without_interpreters():
    with scratch_folder("warm-") as place:
        policy = place / "cold.toml"
        policy.write_text(COLD)
        stage = stage_of(HELLO, "interpreter", "--policy", str(policy))
        assert (stage["start"], stage["stdout"]["text"]) == ("cell", "hello\n")


@pytest.mark.parametrize("wall", ["landlock", "seccomp", "net-namespace", "time-namespace"])
def test_a_policy_without_a_wall(wall):
    with scratch_folder("warm-") as place:
        policy = place / "gap.toml"
        policy.write_text(f'name = "gap"\nwhy = "A wall less."\n[walls]\nwhy = "To see that it works."\nwithout = ["{wall}"]\n')
        stage = stage_of(HELLO, "interpreter", "--policy", str(policy))
        assert (stage["start"], stage["stdout"]["text"]) == ("interpreter", "hello\n"), stage
        assert wall not in stage["walls"]


def test_chance_is_not_shared(leaves_nothing):
    with live_service(*OPTIONS) as service:
        drawn = [warm(service, CHANCE)["stdout"]["text"].splitlines() for _ in range(3)]
        assert [len(set(same)) for same in zip(*drawn, strict=True)] == [3] * 8


def test_the_first_run_finds_it_up(leaves_nothing):
    with live_service(*OPTIONS) as service:
        wait_until(lambda: len(waiting(service)) == 4, "the pool to be full")
        assert run(service)["start"] == "interpreter"


def test_what_it_did_while_it_waited_is_not_billed(leaves_nothing):
    with live_service(*OPTIONS) as service:
        stages = [warm(service) for _ in range(4)]
        for stage in stages:
            numbers = [*stage["phases"].values(), *(stage["usage"][name] for name in ("wall_ms", "cpu_ms", "user_ms", "system_ms"))]
            assert min(numbers) >= 0
        assert min(stage["usage"]["cpu_ms"] for stage in stages) < stage_of(HELLO, "cold")["usage"]["cpu_ms"]
        busy = run(service, "while (process.cpuUsage().user < 600000);\n")
        assert busy["usage"]["cpu_ms"] >= 250


def test_one_that_is_killed_is_replaced(leaves_nothing):
    with live_service(*OPTIONS) as service:
        warm(service)
        for _ in range(3):
            nodes = waiting(service)
            for node in nodes:
                with contextlib.suppress(ProcessLookupError):
                    node.kill()
            wait_until(lambda: not any(node.folder.exists() for node in nodes), "them to be gone")
            assert run(service)["stdout"]["text"] == "hello\n"
        warm(service)


def test_a_run_whose_node_dies_before_taking_it_has_another(leaves_nothing):
    with live_service(*OPTIONS) as service:
        warm(service)
        for _ in range(12):
            # The warden may or may not know of their ends when it gives them the run.
            nodes = waiting(service)
            for node in nodes:
                with contextlib.suppress(ProcessLookupError):
                    node.kill()
            while any(node.is_there() for node in nodes):
                pass
            stage = run(service)
            assert (stage["status"], stage["stdout"]["text"]) == ("ok", "hello\n"), stage


def test_the_next_run_finds_nothing_of_the_one_before(leaves_nothing):
    source = """
const fs = require("fs");
console.log(globalThis.kept, process.env.KEPT, fs.readdirSync("/tmp"), fs.readdirSync("/box"), fs.readdirSync("/dev/shm"));
globalThis.kept = process.env.KEPT = "kept";
for (const folder of ["/tmp", "/box", "/dev/shm"]) fs.writeFileSync(folder + "/kept", "");
"""
    with live_service(*OPTIONS) as service:
        said = {warm(service, source)["stdout"]["text"] for _ in range(4)}
        assert said == {"undefined undefined [] [ 'main.js' ] []\n"}
