"""What the service answers with, typed. Each object keeps what it was made of, unknown fields too, in `raw`."""

from __future__ import annotations

import base64
from typing import Any, Callable, ClassVar, Dict, List, Optional

Json = Dict[str, Any]
Bytes = bytes  # for classes with an attribute of that name


def _each(kind: Callable[[Json], Any]) -> Callable[[List[Json]], List[Any]]:
    return lambda values: [kind(value) for value in values]


class Record:
    """An object of an answer: its fields as attributes, None where the answer has none; all of it in `raw`."""

    _nested: ClassVar[Dict[str, Callable[[Any], Any]]] = {}

    def __init__(self, raw: Json) -> None:
        self.raw = raw
        for name in self.fields():
            value = raw.get(name)
            make = self._nested.get(name)
            setattr(self, name, make(value) if make and value is not None else value)

    @classmethod
    def fields(cls) -> List[str]:
        """The names of the fields that this version of the package knows."""
        return [name for name in cls.__annotations__ if not name.startswith("_")]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.fields())
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.raw == self.raw  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]


class Output(Record):
    """What a program wrote to one of its streams, as much as was kept of it."""

    text: str
    base64: Optional[str]
    total_bytes: int
    truncated: bool

    @property
    def bytes(self) -> Bytes:
        """The bytes that were kept, exactly."""
        return base64.b64decode(self.base64) if self.base64 is not None else self.text.encode()


class Usage(Record):
    """What a stage took, as the kernel billed it."""

    wall_ms: float
    cpu_ms: float
    user_ms: float
    system_ms: float
    peak_memory_bytes: int
    peak_processes: int
    oom_kills: int
    throttled_periods: int
    throttled_ms: float


class StageEvents(Record):
    """What happened to a stage besides."""

    process_limit_hits: int
    leftover_processes: int
    disk_full: bool
    cpu_bill_partial: bool


class DeniedSyscall(Record):
    """A system call that was refused, and how often."""

    name: str
    count: int


class Phases(Record):
    """Where a stage's time went."""

    queue_ms: float
    build_ms: float
    run_ms: float
    collect_ms: float
    teardown_ms: float


class Limits(Record):
    """The limits that held."""

    wall_ms: float
    cpu_ms: float
    memory_bytes: int
    processes: int
    output_bytes: int
    box_bytes: int
    tmp_bytes: int
    inodes: int
    open_files: int
    file_size_bytes: int
    stack_bytes: int
    cpus: float
    artifacts_bytes: int


class Stage(Record):
    """Compiling, or running."""

    stage: str
    status: str
    reason: str
    start: str
    cached: bool
    clock: Optional[str]
    exit_code: Optional[int]
    signal: Optional[str]
    signal_number: Optional[int]
    stdout: Output
    stderr: Output
    usage: Usage
    events: StageEvents
    denied_syscalls: List[DeniedSyscall]
    denied_more: bool
    phases: Phases
    limits: Limits
    walls: List[str]
    missing_walls: List[str]

    _nested = {
        "stdout": Output,
        "stderr": Output,
        "usage": Usage,
        "events": StageEvents,
        "denied_syscalls": _each(DeniedSyscall),
        "phases": Phases,
        "limits": Limits,
    }


class Artifact(Record):
    """A file that a run left. `path_base64` is there only where the path is not UTF-8: give the record then, to get it."""

    path: str
    path_base64: Optional[str]
    bytes: int
    executable: bool


class Finding(Record):
    """Something that screening saw in a source."""

    rule: str
    path: str
    line: int
    column: int
    reason: str
    text: str


class Screening(Record):
    """What was found in the source before the run."""

    refused: bool
    findings: List[Finding]
    syntax_errors: List[Finding]
    not_analysed: List[Finding]

    _nested = {name: _each(Finding) for name in ("findings", "syntax_errors", "not_analysed")}


class Host(Record):
    """The machine that ran it."""

    kernel: str
    cgroup_mode: str
    landlock_abi: int
    rootless: bool


class Outcome(Record):
    """What became of a program, in full; docs/outcome.md says what each field means."""

    status: str
    reason: str
    language: str
    toolchain: str
    policy: str
    stages: List[Stage]
    artifacts: List[Artifact]
    artifacts_truncated: bool
    host: Host
    screening: Optional[Screening]
    verdict: Optional[str]
    difference: Optional[str]

    _nested = {"stages": _each(Stage), "artifacts": _each(Artifact), "host": Host, "screening": Screening}


class Run(Record):
    """A run. `state`: queued, running, done, cancelled or lost. `status`: the outcome's, None before the end."""

    id: str
    state: str
    language: str
    policy: str
    created_at: str
    started_at: Optional[str]
    finished_at: Optional[str]
    attempts: int
    batch: Optional[str]
    status: Optional[str]
    reason: str
    outcome: Optional[Outcome]

    _nested = {"outcome": Outcome}

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in ("queued", "running")

    @property
    def ok(self) -> bool:
        """Whether the program ended with exit code 0."""
        return self.status == "ok"

    @property
    def stage(self) -> Optional[Stage]:
        """The last stage, which is the one that decided; None where none began."""
        return self.outcome.stages[-1] if self.outcome and self.outcome.stages else None

    @property
    def stdout(self) -> str:
        """What the last stage wrote to stdout, as text; `stage.stdout.bytes` has the bytes."""
        return self.stage.stdout.text if self.stage else ""

    @property
    def stderr(self) -> str:
        """What the last stage wrote to stderr, as text."""
        return self.stage.stderr.text if self.stage else ""

    @property
    def exit_code(self) -> Optional[int]:
        """The last stage's; None where it did not exit."""
        return self.stage.exit_code if self.stage else None


class RunPage(Record):
    """One page of a list, and the cursor of the next."""

    runs: List[Run]
    next: Optional[str]

    _nested = {"runs": _each(Run)}


class Accepted(Record):
    """One run of a batch: `queued`, or `rejected` with the reason and without an id."""

    id: Optional[str]
    state: str
    reason: Optional[str]


class AcceptedBatch(Record):
    """What became of each run of a batch, in the order of the request."""

    id: str
    runs: List[Accepted]

    _nested = {"runs": _each(Accepted)}


class Batch(Record):
    """How far a batch is. Its runs have no outcomes here; `get` has them."""

    id: str
    runs: List[Run]
    ended: int
    total: int

    _nested = {"runs": _each(Run)}


class Hello(Record):
    """A first program of a language."""

    file: str
    source: str


class Language(Record):
    """A language, and whether the host can run it."""

    name: str
    title: str
    aliases: List[str]
    extensions: List[str]
    compiled: bool
    sessions: bool
    available: bool
    package: str
    hello: Hello

    _nested = {"hello": Hello}


class Policy(Record):
    """A policy, with the limits that it sets and those that it allows."""

    name: str
    default: Limits
    maximum: Limits

    _nested = {"default": Limits, "maximum": Limits}


class Wall(Record):
    """One of the walls that an outcome names."""

    name: str
    explanation: str


class Load(Record):
    """How busy the service is."""

    running: int
    waiting: int
    concurrent: int
    queue: int


class System(Record):
    """The service and its host."""

    version: str
    kernel: str
    cgroup_mode: str
    landlock_abi: int
    rootless: bool
    policies: List[str]
    default_policy: str
    runs: Load

    _nested = {"runs": Load}


class Result(Record):
    """A value by its MIME types: that of the last expression (`main`), or one that the code displayed."""

    main: bool
    data: Json
    metadata: Optional[Json]
    omitted: Optional[List[str]]

    def get(self, mime: str) -> Any:
        """What it is as that type, None where it is not: text as str, JSON as what it says, everything else as bytes.

        A ValueError where it is not what its type says; the code of a session can make up anything.
        """
        value = self.data.get(mime)
        return base64.b64decode(value, validate=True) if isinstance(value, str) and _is_binary(mime) else value


def _is_binary(mime: str) -> bool:
    text = ("application/json", "application/javascript", "application/xml")
    return not mime.startswith("text/") and not mime.endswith(("+xml", "+json")) and mime not in text


class ExecutionError(Record):
    """What the code raised, as its interpreter tells it."""

    name: str
    value: str
    traceback: str


class SessionFile(Record):
    """A file of a session. `modified_at` only where it was listed."""

    path: str
    bytes: int
    mime: str
    modified_at: Optional[str]


class SessionFiles(Record):
    """The files below /box, by path.

    `omitted`: how many more have a name that no request could have. `truncated`: there are more than the 10,000 that
    are listed.
    """

    files: List[SessionFile]
    omitted: int
    truncated: bool

    _nested = {"files": _each(SessionFile)}


class ExecutionPhases(Record):
    """Where its time went, in milliseconds: waiting for its turn, then from thaw to freeze."""

    queue_ms: float
    run_ms: float


class Execution(Record):
    """Code that was executed in a session. `state`: queued, running, done, cancelled or lost.

    Of what is cancelled or lost there is only a `reason`.
    `status`: ok, error, interrupted, timeout, output_limit, exited, died, ended, which is with the session, or rejected;
    None before the end.
    """

    id: str
    session: str
    context: Optional[str]
    state: str
    started_at: Optional[str]
    ended_at: Optional[str]
    status: Optional[str]
    reason: Optional[str]
    clock: Optional[str]
    exit_code: Optional[int]
    signal: Optional[str]
    ended_by: Optional[str]
    count: Optional[int]
    stdout: Output
    stderr: Output
    results: List[Result]
    results_truncated: bool
    error: Optional[ExecutionError]
    files: List[SessionFile]
    usage: Usage
    events: StageEvents
    denied_syscalls: List[DeniedSyscall]
    denied_more: bool
    limits: Limits
    phases: Optional[ExecutionPhases]
    screening: Optional[Screening]

    _nested = {
        "phases": ExecutionPhases,
        "screening": Screening,
        "stdout": Output,
        "stderr": Output,
        "results": _each(Result),
        "error": ExecutionError,
        "files": _each(SessionFile),
        "usage": Usage,
        "events": StageEvents,
        "denied_syscalls": _each(DeniedSyscall),
        "limits": Limits,
    }

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in ("queued", "running")

    @property
    def ok(self) -> bool:
        """Whether the code went to its end and raised nothing."""
        return self.status == "ok"

    @property
    def value(self) -> Optional[str]:
        """The last expression's value as text; None where there is none."""
        return next((each.data.get("text/plain") for each in self.results or [] if each.main), None)

    def get_all(self, mime: str) -> List[Any]:
        """Every result that there is as that type, in order, each as Result.get gives it."""
        return [each.get(mime) for each in self.results or [] if mime in each.data]


class ExecutionSummary(Record):
    """An execution as a list shows it. `status`: None before it is done."""

    id: str
    session: str
    state: str
    status: Optional[str]
    reason: str
    created_at: str
    started_at: Optional[str]
    ended_at: Optional[str]


class ExecutionPage(Record):
    """One page of a list, and the cursor of the next."""

    executions: List[ExecutionSummary]
    next: Optional[str]

    _nested = {"executions": _each(ExecutionSummary)}


class SessionInfo(Record):
    """A session as it was when it was asked for. `state`: starting, idle, running, paused or ended.

    `ended_by`: quit, ttl, idle, died, lost, stopped or failed; None before its end. `worker`: which one of a fleet
    holds it; None on one machine.
    """

    id: str
    state: str
    ended_by: Optional[str]
    reason: Optional[str]
    language: str
    version: Optional[str]
    policy: str
    created_at: str
    ttl_ms: float
    idle_ms: float
    executions: int
    contexts: List[str]
    limits: Limits
    start: Optional[str]
    walls: Optional[List[str]]
    missing_walls: Optional[List[str]]
    worker: Optional[str]

    _nested = {"limits": Limits}


class AnyEvent:
    """One event: its number, its type and its data."""

    _ended: ClassVar[Callable[[Json], Record]]  # what the data of the last one is

    def __init__(self, number: int, type: str, data: Json) -> None:
        self.number = number
        self.type = type
        self.data = data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.number}, {self.type!r}, {self.data!r})"

    @property
    def bytes(self) -> Bytes:
        """What the program wrote; nothing for other events than `stdout` and `stderr`."""
        if "base64" in self.data:
            return base64.b64decode(self.data["base64"])
        return self.data.get("text", "").encode()

    @property
    def text(self) -> str:
        """The same as text. Characters are never cut in two; what is no UTF-8 becomes U+FFFD."""
        return self.bytes.decode(errors="replace")

    @property
    def end(self) -> Any:
        """What ended, as it did: with `outcome`, the last event. Else None."""
        return type(self)._ended(self.data) if self.type == "outcome" else None


class Event(AnyEvent):
    """One event of a run: its number, its type (`status`, `stdout`, `stderr`, `outcome`) and its data."""

    _ended = Run

    @property
    def run(self) -> Optional[Run]:
        """The run as it ended: with `outcome`, the last event. Else None."""
        return self.end


class ExecutionEvent(AnyEvent):
    """One event of an execution: as of a run, and `result` for each value."""

    _ended = Execution

    @property
    def execution(self) -> Optional[Execution]:
        """The execution as it ended: with `outcome`, the last event. Else None."""
        return self.end

    @property
    def result(self) -> Optional[Result]:
        """The value that the event brought, with `result`. Else None."""
        return Result(self.data) if self.type == "result" else None
