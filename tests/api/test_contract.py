"""api/openapi.yaml is sound, and the service keeps it: every route, every answer, both ways."""

import base64
import json
import marshal
import re

import jsonschema
import pytest
import yaml

from contract import CONTRACT, FILE, ROOT, METHODS, Contract, close_objects, walk
from service import READY
from support.service import out_of

TABLE = ROOT / "src" / "api" / "routes.cpp"
LIMITS = ROOT / "src" / "model" / "policy.cpp"
SECURED = [{"key": []}, {}]


def routes():
    """(method, path, scope) of the service's own table."""
    rows = re.findall(r'Route\{"(\w+)", "([^"]+)",\s+&Service::\w+,\s+"(\w*)"\}', TABLE.read_text())
    return [(method, path.replace("+}", "}"), scope) for method, path, scope in rows]


# ---- The document ----


def test_every_route_is_in_the_contract_and_every_operation_in_the_table():
    table = {(method, path) for method, path, _ in routes()}
    assert len(table) > 10
    assert table == {(method, path) for method, path, _ in CONTRACT.operations()}


def test_the_contract_says_where_a_key_is_needed():
    operations = {(method, path): operation for method, path, operation in CONTRACT.operations()}
    assert CONTRACT.document["security"] == SECURED
    for method, path, scope in routes():
        operation = operations[method, path]
        assert operation.get("security", SECURED) == (SECURED if scope else [{}]), path
        for status in ("401", "403"):
            assert (status in operation["responses"]) == bool(scope), (path, status)


def test_the_document_has_the_form_of_openapi():
    document = CONTRACT.document
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] and document["info"]["version"]
    assert set(document) <= {"openapi", "info", "servers", "security", "tags", "paths", "components"}
    assert set(document["components"]) <= {"schemas", "responses", "parameters", "headers", "securitySchemes"}
    tags = {tag["name"] for tag in document["tags"]}
    names = set()
    for path, item in document["paths"].items():
        assert path.startswith("/")
        assert set(item) <= {*METHODS, "parameters", "summary", "description"}, path
    for method, path, operation in CONTRACT.operations():
        where = f"{method} {path}"
        known = {"operationId", "tags", "summary", "description", "parameters", "requestBody", "responses", "security"}
        assert {name for name in set(operation) - known if not name.startswith("x-")} == set(), where
        assert operation["summary"] and set(operation["tags"]) <= tags, where
        assert operation["operationId"] not in names, where
        names.add(operation["operationId"])
        parameters = [
            CONTRACT.resolve(each["$ref"]) if "$ref" in each else each
            for each in [*CONTRACT.document["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        ]
        for each in parameters:
            assert each["in"] in {"path", "query", "header"} and "schema" in each, where
            assert set(each) <= {"name", "in", "required", "description", "schema", "example"}, where
        in_path = {each["name"] for each in parameters if each["in"] == "path" and each["required"]}
        assert in_path == set(re.findall(r"\{(\w+)\}", path)), where
        assert len({(each["name"], each["in"]) for each in parameters}) == len(parameters), where
        assert operation["responses"], where
        for status, response in operation["responses"].items():
            assert re.fullmatch("[1-5][0-9][0-9]", status), where
            response = CONTRACT.resolve(response["$ref"]) if "$ref" in response else response
            assert response["description"], where
            assert set(response) <= {"description", "headers", "content"}, where
            if int(status) >= 400:
                assert any(type.endswith("json") for type in response["content"]), where


def test_every_reference_leads_somewhere_and_every_component_is_used():
    used = set()
    for place, value in walk(CONTRACT.document):
        if isinstance(value, dict) and isinstance(value.get("$ref"), str):
            assert CONTRACT.resolve(value["$ref"]) is not None, place
            used.add(value["$ref"])
    # What EventStream, which is no JSON, is made of.
    used |= {"#/components/schemas/Event", "#/components/schemas/ExecutionEvent"}
    for kind, components in CONTRACT.document["components"].items():
        if kind != "securitySchemes":
            for name in components:
                assert f"#/components/{kind}/{name}" in used, f"nothing uses {kind}/{name}"


def schemas():
    for place, value in walk(CONTRACT.document):
        if isinstance(value, dict) and isinstance(value.get("schema"), dict):
            yield f"{place}/schema", value["schema"]
    for name, schema in CONTRACT.document["components"]["schemas"].items():
        yield f"#/components/schemas/{name}", schema


def test_every_schema_is_one():
    found = list(schemas())
    assert len(found) > 50
    for place, schema in found:
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise AssertionError(f"{place}: {error.message}") from error
        for inside, value in walk(schema):
            if isinstance(value, dict) and "required" in value and value.get("type") == "object":
                assert set(value["required"]) <= set(value["properties"]), f"{place}{inside[1:]}"


def test_every_example_is_one():
    count = 0
    for place, value in walk(CONTRACT.document):
        if not isinstance(value, dict):
            continue
        pairs = []
        if "schema" in value:
            pairs += [(value["schema"], value[name]) for name in ("example",) if name in value]
            examples = value.get("examples")
            if isinstance(examples, dict):
                pairs += [(value["schema"], each["value"]) for each in examples.values()]
        elif isinstance(value.get("examples"), list):
            pairs += [(value, each) for each in value["examples"]]
        for schema, example in pairs:
            try:
                CONTRACT.check(close_objects(json.loads(json.dumps(schema))), example)
            except AssertionError as error:
                raise AssertionError(f"{place}: {error}") from error
            count += 1
    assert count > 15


def test_the_limits_are_all_there():
    names = re.findall(r'(?:duration|number)_field\(\s*"(\w+)"', LIMITS.read_text())
    assert len(names) == 13
    properties = CONTRACT.document["components"]["schemas"]["WantedLimits"]["properties"]
    got = CONTRACT.document["components"]["schemas"]["Limits"]["properties"]
    assert set(names) <= set(properties)
    assert set(properties) - set(names) == {name for name in got if name not in names}
    assert set(got) <= set(properties)


def test_the_checks_find_what_is_wrong():
    problem = {"type": "about:blank", "title": "t", "status": 400, "detail": "d"}
    assert CONTRACT.accepts("Problem", problem)
    for wrong in ({**problem, "more": 1}, {**problem, "status": "400"}, {"title": "t"}, []):
        assert not CONTRACT.accepts("Problem", wrong), wrong
    text = FILE.read_text().replace("#/components/schemas/Accepted'", "#/components/schemas/Gone'")
    broken = Contract(text)
    with pytest.raises(KeyError):
        for _, value in walk(broken.document):
            if isinstance(value, dict) and isinstance(value.get("$ref"), str):
                broken.resolve(value["$ref"])


# ---- The service ----


def test_the_service_shows_its_contract(service):
    answer = service.get("/openapi.yaml")
    assert answer.type == "application/yaml"
    assert yaml.safe_load(answer.body) == CONTRACT.document and answer.body.decode() == CONTRACT.text


SUCCESSES = {
    ("POST", "/v1/runs", 202), ("POST", "/v1/runs", 200), ("GET", "/v1/runs", 200),
    ("GET", "/v1/runs/{id}", 200), ("POST", "/v1/runs/{id}/cancel", 202),
    ("GET", "/v1/runs/{id}/events", 200), ("GET", "/v1/runs/{id}/artifacts", 200),
    ("GET", "/v1/runs/{id}/artifacts/{path}", 200), ("POST", "/v1/batches", 202),
    ("GET", "/v1/batches/{id}", 200), ("GET", "/v1/runs/interactive", 426),
    ("POST", "/v1/sessions", 201), ("GET", "/v1/sessions", 200), ("GET", "/v1/sessions/{id}", 200),
    ("DELETE", "/v1/sessions/{id}", 200), ("POST", "/v1/sessions/{id}/executions", 200),
    ("GET", "/v1/sessions/{id}/executions", 200), ("GET", "/v1/sessions/{id}/interactive", 426),
    ("GET", "/v1/sessions/{id}/executions/{execution}", 200), ("POST", "/v1/sessions/{id}/interrupt", 202),
    ("GET", "/v1/sessions/{id}/executions/{execution}/events", 200), ("POST", "/v1/sessions/{id}/contexts", 201),
    ("POST", "/v1/sessions/{id}/contexts/{name}/restart", 200), ("DELETE", "/v1/sessions/{id}/contexts/{name}", 200),
    ("POST", "/v1/sessions/{id}/pause", 200), ("POST", "/v1/sessions/{id}/resume", 200),
    ("GET", "/v1/sessions/{id}/files", 200), ("GET", "/v1/sessions/{id}/files/{path}", 200),
    ("PUT", "/v1/sessions/{id}/files/{path}", 200), ("DELETE", "/v1/sessions/{id}/files/{path}", 200),
    ("GET", "/v1/languages", 200), ("GET", "/v1/system", 200), ("GET", "/healthz", 200),
    ("GET", "/readyz", 200), ("GET", "/metrics", 200), ("GET", "/openapi.yaml", 200),
    ("GET", "/v1/runs/{id}/request", 200), ("GET", "/v1/policies", 200), ("GET", "/v1/walls", 200),
    ("GET", "/", 200), ("GET", "/r/{id}", 200), ("GET", "/tests", 200), ("GET", "/tests/{id}", 200),
    ("GET", "/notebook", 200), ("GET", "/history", 200), ("GET", "/compare", 200), ("GET", "/status", 200), ("GET", "/web/{file}", 200),
    ("GET", "/docs", 200), ("GET", "/docs/{file}", 200), ("POST", "/execute", 200), ("POST", "/run", 200), ("POST", "/pysandbox", 200),
}  # fmt: skip


def test_every_route_answers_as_the_contract_says(service):
    """Service.call holds each answer against the contract; here each route is gone through once."""
    CONTRACT.seen.clear()
    run = service.run("open('a', 'w')", artifacts=["a"])["id"]
    service.submit("")
    service.get("/v1/runs")
    service.look(run)
    service.get(f"/v1/runs/{run}/events")
    service.get(f"/v1/runs/{run}/artifacts")
    service.get(f"/v1/runs/{run}/artifacts/a")
    slept = service.submit("import time; time.sleep(600)")
    service.post(f"/v1/runs/{slept}/cancel")
    service.look(slept, wait=True)
    batch = service.post("/v1/batches", {"runs": [{"language": "bash", "source": ""}, {"language": "bash", "source": ""}]})
    service.get(f"/v1/batches/{batch.json['id']}")
    with service.session() as session:
        made = session.execute("1")
        slow = session.ask(READY + "import time; time.sleep(600)", query="").json["id"]
        with service.events(f"{session.path}/executions/{slow}/events") as events:
            events.take(lambda event: event.name == "stdout")
        service.get("/v1/sessions")
        session.look()
        service.get(f"{session.path}/executions")
        service.get(f"{session.path}/interactive")
        service.get(f"{session.path}/executions/{made['id']}")
        service.get(f"{session.path}/executions/{made['id']}/events")
        service.post(f"{session.path}/interrupt")
        service.post(f"{session.path}/contexts", {"name": "c"})
        service.post(f"{session.path}/contexts/c/restart")
        service.call("PUT", f"{session.path}/files/a/b", b"x")
        service.get(f"{session.path}/files")
        service.get(f"{session.path}/files/a/b")
        service.call("DELETE", f"{session.path}/files/a/b")
        service.post(f"{session.path}/pause")
        service.post(f"{session.path}/resume")
        service.call("DELETE", f"{session.path}/contexts/c")
    for path in ("/v1/runs/interactive", "/v1/languages", "/v1/system", "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/docs", "/docs/viewer.js",
                 "/v1/policies", "/v1/walls", "/", f"/r/{run}", "/tests", "/tests/batch_1", "/notebook", "/history", "/compare", "/status"):
        service.get(path)
    service.get(f"/v1/runs/{run}/request")
    for name in set(re.findall(rb'"(/web/[^"]+)"', service.get("/").body)):
        service.get(name.decode())
    service.post("/execute", {"code": "print(input())", "input": "x"})
    service.post("/run", {"code": "print(1)"})
    code = base64.b64encode(marshal.dumps(compile("print(1)", "x", "exec"))).decode()
    service.post("/pysandbox", {"code": code})
    assert SUCCESSES <= CONTRACT.seen, SUCCESSES - CONTRACT.seen
    # None was forgotten here.
    assert {(method, path) for method, path, _ in SUCCESSES} == {(m, p) for m, p, _ in CONTRACT.operations()}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"{}", b'{"code":1}', b'{"code":null}'])
@pytest.mark.parametrize("path", ["/execute", "/run", "/pysandbox", "/v1/batches"])
def test_what_is_wrong_is_told_as_the_contract_says(service, path, body):
    answer = service.post(path, body, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 422), answer


def test_a_program_that_fails_is_told_as_the_contract_says(service):
    assert service.post("/execute", {"code": "while True: pass"}).json["returncode"] == -1
    assert service.post("/run", {"code": "1/0"}).json["status"] == "runtime_error"
    code = base64.b64encode(marshal.dumps(compile("1/0", "x", "exec"))).decode()
    assert service.post("/pysandbox", {"code": code}).status == 500


OUTCOMES = [
    ("python", "1/0", "runtime_error"),
    ("python", "import os; os.kill(os.getpid(), 11)", "signalled"),
    ("python", "while True: pass", "timeout"),
    ("python", "x = bytearray(1 << 30)", "runtime_error memory_limit"),
    ("python", "print('x' * (2 << 20))", "output_limit"),
    ("python", "open('x', 'wb').write(b'x' * (80 << 20))", "disk_limit runtime_error signalled"),
    ("c", "int main(void) { return", "compile_error"),
    ("python", "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "ok runtime_error signalled"),
]


@pytest.mark.parametrize("language, source, statuses", OUTCOMES, ids=[row[2].split()[0] for row in OUTCOMES])
def test_outcomes_of_every_kind_fit_the_contract(service, language, source, statuses):
    run = service.run(source, language, limits={"cpu": "1s"})
    assert run["status"] in statuses.split(), run["reason"]


def test_a_hello_in_each_language_that_is_there_fits_the_contract(service):
    found = service.get("/v1/languages").json["languages"]
    assert {"python", "bash"} <= {language["name"] for language in found if language["available"]}
    for language in found:
        if language["name"] in ("python", "bash", "perl", "c"):
            run = service.run(language["hello"]["source"], language["name"])
            assert run["status"] == "ok" and out_of(run), run
