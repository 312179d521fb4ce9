"""What was compiled is used again for exactly the same input of the same caller, and for nothing else."""

import re

import pytest

from support.service import out_of

SOURCE = "#include <stdio.h>\nint main(void) { puts(WORD); }\n"
HEADER = '#define WORD "one"\n'


def files(source=SOURCE, header=HEADER, names=("main.c", "word.h"), executable=False):
    text = f'#include "{names[1]}"\n' + source
    return [{"path": names[0], "content": text}, {"path": names[1], "content": header, "executable": executable}]


def submit(service, key=None, **fields):
    answer = service.post("/v1/runs?wait=1", {"language": "c", "files": files(), **fields}, key=key)
    assert answer.status == 200, answer
    return answer.json


def is_cached(run):
    compile_stage, *rest = run["outcome"]["stages"]
    assert compile_stage["stage"] == "compile" and not any(stage["cached"] for stage in rest)
    return compile_stage["cached"]


def lookups(service):
    page = service.get("/metrics").body.decode()
    found = dict(re.findall(r'^belljar_compile_cache_total\{result="(\w+)"\} (\d+)$', page, re.MULTILINE))
    return int(found.get("hit", 0)), int(found.get("miss", 0))


def test_the_same_again_is_the_same_outcome(service):
    first = submit(service, stdin="a")
    hits, misses = lookups(service)
    again = submit(service, stdin="b", args=["x"])
    assert (is_cached(first), is_cached(again)) == (False, True)
    assert lookups(service) == (hits + 1, misses)
    before, after = first["outcome"]["stages"][0], again["outcome"]["stages"][0]
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {"cached", "phases"}
    assert after["phases"]["run_ms"] == 0 < before["phases"]["run_ms"]
    assert (out_of(first), out_of(again)) == ("one\n", "one\n")
    size = re.search(rb"^belljar_compile_cache_bytes (\d+)$", service.get("/metrics").body, re.MULTILINE)
    assert 0 < int(size[1]) <= 256 << 20


@pytest.mark.parametrize(
    "change",
    [
        {"files": files(header='#define WORD "two"\n')},
        {"files": files(names=("main.c", "ward.h"))},
        {"files": files(names=("mein.c", "word.h"))},
        {"files": files(executable=True)},
        {"files": files(source=SOURCE + " ")},
        {"files": [*files(), {"path": "more.txt", "content": ""}]},
        {"policy": "judge"},
        {"language": "cpp", "files": files(names=("main.cpp", "word.h"))},
    ],
    ids=["content", "header", "source", "mode", "space", "file", "policy", "language"],
)
def test_almost_the_same_is_compiled(service, change):
    submit(service)
    assert is_cached(submit(service))
    run = submit(service, **change)
    assert not is_cached(run)
    assert out_of(run) == ("two\n" if "two" in str(change) else "one\n")


def test_what_only_the_run_stage_sees_is_no_other_input(service):
    submit(service)
    assert is_cached(submit(service, limits={"wall": "3s"}, env={"A": "b"}, artifacts=["*.txt"]))


def test_a_compilers_refusal_is_kept_with_its_words(service):
    wrong = files(source="int main(void) { return nothing; }\n")
    first, again = submit(service, files=wrong), submit(service, files=wrong)
    assert (first["status"], again["status"]) == ("compile_error", "compile_error")
    assert (is_cached(first), is_cached(again)) == (False, True)
    assert "nothing" in again["outcome"]["stages"][0]["stderr"]["text"]


@pytest.mark.parametrize("word", ["__TIME__", "__DATE__"])
def test_what_asks_for_the_time_is_compiled_again(service, word):
    asking = files(header=f"#define WORD {word}\n")
    assert not is_cached(submit(service, files=asking))
    assert not is_cached(submit(service, files=asking))


def test_a_stage_that_a_limit_ended_is_compiled_again(service):
    endless = files(source='#include "/dev/zero"\n')
    runs = [submit(service, files=endless) for _ in range(2)]
    assert all(run["status"] not in ("ok", "compile_error") for run in runs), runs
    assert not any(is_cached(run) for run in runs)


def test_a_batch_finds_what_a_run_has_compiled(service):
    submit(service)
    program = {"language": "c", "files": files()}
    answer = service.post("/v1/batches", {"program": program, "inputs": [{"stdin": "1"}, {"stdin": "2"}]})
    assert answer.status == 202, answer
    for run in answer.json["runs"]:
        assert is_cached(service.look(run["id"] if isinstance(run, dict) else run, wait=True))


def test_two_keys_never_share(serve):
    service = serve("--require-key")
    (_, ada), (_, bob) = service.create_key("ada"), service.create_key("bob")
    (_, second) = service.create_key("ada")
    assert not is_cached(submit(service, key=ada))
    assert is_cached(submit(service, key=ada))
    for key in (bob, second):
        assert not is_cached(submit(service, key=key))
        assert is_cached(submit(service, key=key))


def test_it_can_be_turned_off(serve):
    service = serve("--compile-cache", "0")
    assert not is_cached(submit(service))
    assert not is_cached(submit(service))
    assert lookups(service) == (0, 0)


def test_the_service_precompiles_headers_when_it_starts(serve, headers_folder):
    service = serve("--headers", str(headers_folder))

    assert service.event("headers", language="cpp", patience=120)["result"] == "the headers are made"
    (entry,) = headers_folder.glob("cpp-*")
    assert {path.name for path in entry.glob("show/usr/**/*.gch")} == {"stdc++.h.gch", "iostream.gch"}
    source = "#include <bits/stdc++.h>\nint main() { std::cout << 1; }\n"
    assert out_of(submit(service, language="cpp", files=[{"path": "a.cpp", "content": source}])) == "1"
    again = serve("--headers", str(headers_folder))
    assert again.event("headers", language="cpp")["result"] == "the headers are there"
    for each in (service, again):
        assert len(each.logged("headers", language="cpp")) == 1


def test_a_service_whose_headers_cannot_be_made_serves(serve, tmp_path):
    service = serve("--headers", "/proc/none/headers")
    service.event("headers")
    assert out_of(submit(service)) == "one\n"
