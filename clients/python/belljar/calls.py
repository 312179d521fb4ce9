"""Every request that a client can make, and how its answer is read. Nothing here does any I/O."""

from __future__ import annotations

import base64
import json
import marshal
import urllib.parse
from types import CodeType
from typing import Any, Callable, Dict, Generic, List, Mapping, NamedTuple, Optional, Sequence, TypeVar, Union

from . import model
from .errors import BadAnswer, Problem
from .program import Content, Limit, Program, _content, _files

Value = TypeVar("Value")
# What a session executes: a text, or what compile() made of one in the version of CPython that the session has.
Code = Union[str, CodeType]


class Answer(NamedTuple):
    """One answer that has come whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def check(self) -> "Answer":
        if not 200 <= self.status < 300:
            raise Problem.of(self.status, self.headers, self.body)
        return self

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadAnswer(f"the answer is no JSON: {error}") from None


class Call(Generic[Value]):
    """A request, and what to make of its answer."""

    def __init__(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], Value],
        *,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        idempotency_key: Optional[str] = None,
        waits: bool = False,
        repeatable: bool = False,
    ) -> None:
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        self.method = method
        self.target = path + ("?" + urllib.parse.urlencode(asked) if asked else "")
        self.read = read
        self.headers: Dict[str, str] = {}
        self.body = None if body is None else json.dumps(body).encode()
        if self.body is not None:
            self.headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            self.headers["Idempotency-Key"] = checked_header("idempotency_key", idempotency_key)
        self.waits = waits  # the answer comes with the end of a run or an execution
        # Whether it does no harm to send it again when it is not known what became of it.
        self.repeatable = repeatable or method in ("GET", "PUT") or idempotency_key is not None


def checked_header(name: str, value: str) -> str:
    """The value, which must not be able to end its line."""
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"{name} must be printable ASCII")
    return value


def quoted(name: Union[str, bytes]) -> str:
    """One part of a path."""
    made = urllib.parse.quote(name, safe="")
    # A part that is empty, or dots, would be another path.
    if made.strip(".") == "":
        raise ValueError(f"{name!r} is no name")
    return made


def _record(kind: Callable[[Dict[str, Any]], Value]) -> Callable[[Answer], Value]:
    def read(answer: Answer) -> Value:
        value = answer.check().json()
        if not isinstance(value, dict):
            raise BadAnswer(f"the answer is no object: {value!r:.100}")
        try:
            return kind(value)
        except (LookupError, TypeError, AttributeError) as error:
            raise BadAnswer(f"the answer is not of the right shape: {error!r}") from error

    return read


def _text(answer: Answer) -> str:
    return answer.check().body.decode()


# ---- Runs ----


def submit(program: Program, idempotency_key: Optional[str]) -> Call[str]:
    read = _record(lambda value: value["id"])
    return Call("POST", "/v1/runs", read, body=program.json(), idempotency_key=idempotency_key)


def run(program: Program, idempotency_key: Optional[str]) -> Call[model.Run]:
    return Call("POST", "/v1/runs", _record(model.Run), query={"wait": 1}, body=program.json(),
                idempotency_key=idempotency_key, waits=True)  # fmt: skip


def start_stream(program: Program, idempotency_key: str) -> Call[Answer]:
    return Call("POST", "/v1/runs", Answer.check, query={"stream": 1}, body=program.json(),
                idempotency_key=idempotency_key)  # fmt: skip


def events(id: str, after: int) -> Call[Answer]:
    return _after(after, f"/v1/runs/{quoted(id)}/events")


def _after(after: int, target: str) -> Call[Answer]:
    call = Call("GET", target, Answer.check)
    if after:
        call.headers["Last-Event-ID"] = str(int(after))
    return call


def get(id: str, wait: bool = False) -> Call[model.Run]:
    query = {"wait": 1} if wait else None
    return Call("GET", f"/v1/runs/{quoted(id)}", _record(model.Run), query=query, waits=wait)


def page(cursor: Optional[str], **filters: Any) -> Call[model.RunPage]:
    return Call("GET", "/v1/runs", _record(model.RunPage), query={**filters, "cursor": cursor})


def cancel(id: str) -> Call[None]:
    return Call("POST", f"/v1/runs/{quoted(id)}/cancel", _record(lambda value: None))


def request(id: str) -> Call[Dict[str, Any]]:
    return Call("GET", f"/v1/runs/{quoted(id)}/request", _record(lambda value: value))


def artifacts(id: str) -> Call[List[model.Artifact]]:
    read = _record(lambda value: [model.Artifact(each) for each in value["artifacts"]])
    return Call("GET", f"/v1/runs/{quoted(id)}/artifacts", read)


def artifact(id: str, path: Union[str, model.Artifact]) -> Call[bytes]:
    text = path.path if isinstance(path, model.Artifact) else path
    name = text.encode("utf-8")
    if isinstance(path, model.Artifact) and path.path_base64 is not None:
        name = base64.b64decode(path.path_base64)
    target = f"/v1/runs/{quoted(id)}/artifacts/" + "/".join(quoted(each) for each in name.split(b"/"))
    return Call("GET", target, lambda answer: answer.check().body)


# ---- Batches ----


def batch(programs: Sequence[Program], idempotency_key: Optional[str]) -> Call[model.AcceptedBatch]:
    body = {"runs": [each.json() for each in programs]}
    return Call("POST", "/v1/batches", _record(model.AcceptedBatch), body=body, idempotency_key=idempotency_key)


def batch_of_inputs(
    program: Program, inputs: Sequence[Mapping[str, Optional[Content]]], idempotency_key: Optional[str]
) -> Call[model.AcceptedBatch]:
    rows = [{name: _content(name, each) for name, each in row.items() if each is not None} for row in inputs]
    body = {"program": program.json(), "inputs": rows}
    return Call("POST", "/v1/batches", _record(model.AcceptedBatch), body=body, idempotency_key=idempotency_key)


def get_batch(id: str) -> Call[model.Batch]:
    return Call("GET", f"/v1/batches/{quoted(id)}", _record(model.Batch))


# ---- Sessions ----


def create_session(idempotency_key: Optional[str], **fields: Any) -> Call[model.SessionInfo]:
    body = {name: value for name, value in fields.items() if value is not None}
    if "files" in body:
        body["files"] = _files(body["files"])
    return Call("POST", "/v1/sessions", _record(model.SessionInfo), body=body, idempotency_key=idempotency_key)


def sessions() -> Call[List[model.SessionInfo]]:
    read = _record(lambda value: [model.SessionInfo(each) for each in value["sessions"]])
    return Call("GET", "/v1/sessions", read)


def look(session: str) -> Call[model.SessionInfo]:
    return Call("GET", f"/v1/sessions/{quoted(session)}", _record(model.SessionInfo))


def quit(session: str) -> Call[model.SessionInfo]:
    # Of a session that has ended it only says so.
    return Call("DELETE", f"/v1/sessions/{quoted(session)}", _record(model.SessionInfo), repeatable=True)


def interrupt(session: str) -> Call[None]:
    return Call("POST", f"/v1/sessions/{quoted(session)}/interrupt", _record(lambda value: None))


def _code(code: Code, context: Optional[str], limits: Optional[Mapping[str, Limit]]) -> Dict[str, Any]:
    body = {"code": code, "context": context, "limits": None if limits is None else dict(limits)}
    if isinstance(code, CodeType):
        body.update(code=base64.b64encode(marshal.dumps(code)).decode(), format="marshal")
    elif not isinstance(code, str):
        raise TypeError(f"code must be text or a code object, not {type(code).__name__}")
    return {name: value for name, value in body.items() if value is not None}


def execute(session: str, idempotency_key: Optional[str], *code: Any) -> Call[model.Execution]:
    return Call("POST", f"/v1/sessions/{quoted(session)}/executions", _record(model.Execution), query={"wait": 1},
                body=_code(*code), waits=True, idempotency_key=idempotency_key)  # fmt: skip


def submit_execution(session: str, idempotency_key: Optional[str], *code: Any) -> Call[str]:
    read = _record(lambda value: value["id"])
    return Call("POST", f"/v1/sessions/{quoted(session)}/executions", read, body=_code(*code),
                idempotency_key=idempotency_key)  # fmt: skip


def execution(session: str, id: str, wait: bool) -> Call[model.Execution]:
    query = {"wait": 1} if wait else None
    return Call("GET", f"/v1/sessions/{quoted(session)}/executions/{quoted(id)}", _record(model.Execution),
                query=query, waits=wait)  # fmt: skip


def executions(session: str, cursor: Optional[str], **filters: Any) -> Call[model.ExecutionPage]:
    path = f"/v1/sessions/{quoted(session)}/executions"
    return Call("GET", path, _record(model.ExecutionPage), query={**filters, "cursor": cursor})


def execution_events(session: str, id: str, after: int) -> Call[Answer]:
    return _after(after, f"/v1/sessions/{quoted(session)}/executions/{quoted(id)}/events")


def pause(session: str) -> Call[model.SessionInfo]:
    return Call("POST", f"/v1/sessions/{quoted(session)}/pause", _record(model.SessionInfo), repeatable=True)


def resume(session: str) -> Call[model.SessionInfo]:
    return Call("POST", f"/v1/sessions/{quoted(session)}/resume", _record(model.SessionInfo), repeatable=True)


def files(session: str) -> Call[model.SessionFiles]:
    return Call("GET", f"/v1/sessions/{quoted(session)}/files", _record(model.SessionFiles), waits=True)


def _file(session: str, path: str) -> str:
    return f"/v1/sessions/{quoted(session)}/files/" + "/".join(quoted(each) for each in path.split("/"))


def read_file(session: str, path: str) -> Call[bytes]:
    return Call("GET", _file(session, path), lambda answer: answer.check().body, waits=True)


def write_file(session: str, path: str, content: Content) -> Call[model.SessionFile]:
    if not isinstance(content, (str, bytes)):
        raise TypeError(f"content must be text or bytes, not {type(content).__name__}")
    call = Call("PUT", _file(session, path), _record(model.SessionFile), waits=True)
    call.body = content.encode() if isinstance(content, str) else content
    call.headers["Content-Type"] = "application/octet-stream"
    return call


def remove_file(session: str, path: str) -> Call[None]:
    return Call("DELETE", _file(session, path), _record(lambda value: None), waits=True)


def create_context(session: str, name: str) -> Call[model.SessionInfo]:
    target = f"/v1/sessions/{quoted(session)}/contexts"
    return Call("POST", target, _record(model.SessionInfo), body={"name": name})


def restart_context(session: str, name: str) -> Call[model.SessionInfo]:
    target = f"/v1/sessions/{quoted(session)}/contexts/{quoted(name)}/restart"
    return Call("POST", target, _record(model.SessionInfo))


def remove_context(session: str, name: str) -> Call[model.SessionInfo]:
    target = f"/v1/sessions/{quoted(session)}/contexts/{quoted(name)}"
    return Call("DELETE", target, _record(model.SessionInfo))


# ---- The service ----


def languages() -> Call[List[model.Language]]:
    read = _record(lambda value: [model.Language(each) for each in value["languages"]])
    return Call("GET", "/v1/languages", read)


def policies() -> Call[List[model.Policy]]:
    read = _record(lambda value: [model.Policy(each) for each in value["policies"]])
    return Call("GET", "/v1/policies", read)


def walls() -> Call[List[model.Wall]]:
    read = _record(lambda value: [model.Wall(each) for each in value["walls"]])
    return Call("GET", "/v1/walls", read)


def system() -> Call[model.System]:
    return Call("GET", "/v1/system", _record(model.System))


def health() -> Call[bool]:
    return Call("GET", "/healthz", _record(lambda value: value.get("status") == "ok"))


def ready() -> Call[bool]:
    def read(answer: Answer) -> bool:
        # That it takes no runs is an answer here, and no error.
        return answer.status != 503 and _record(lambda value: value.get("status") == "ready")(answer)

    call = Call("GET", "/readyz", read)
    call.repeatable = False  # asked for what is so now
    return call


def metrics() -> Call[str]:
    return Call("GET", "/metrics", _text)


def contract() -> Call[str]:
    return Call("GET", "/openapi.yaml", _text)
