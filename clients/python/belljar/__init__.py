"""A client for Belljar, which runs programs that nobody trusts and tells exactly what happened.

    import belljar

    run = belljar.Client().run("print(6 * 7)", "python")
    print(run.status, run.stdout)
"""

from .aio import AsyncClient, AsyncExecutionStream, AsyncStream
from .client import Client, ExecutionStream, Stream
from .errors import BadAnswer, BelljarError, ConnectionLost, Problem, Timeout
from .model import (
    Accepted,
    AcceptedBatch,
    Artifact,
    Batch,
    DeniedSyscall,
    Event,
    Execution,
    ExecutionError,
    ExecutionEvent,
    ExecutionPage,
    ExecutionPhases,
    ExecutionSummary,
    Finding,
    Hello,
    Host,
    Language,
    Limits,
    Load,
    Outcome,
    Output,
    Phases,
    Policy,
    Result,
    Run,
    RunPage,
    Screening,
    SessionFile,
    SessionFiles,
    SessionInfo,
    Stage,
    StageEvents,
    System,
    Usage,
    Wall,
)
from .place import VERSION as __version__
from .program import File, Program
from .session import AsyncSession, Session

__all__ = [
    "Accepted", "AcceptedBatch", "Artifact", "AsyncClient", "AsyncExecutionStream", "AsyncSession", "AsyncStream",
    "BadAnswer", "Batch", "BelljarError", "Client", "ConnectionLost", "DeniedSyscall", "Event", "Execution",
    "ExecutionError", "ExecutionEvent", "ExecutionPage", "ExecutionPhases", "ExecutionStream", "ExecutionSummary", "File", "Finding", "Hello", "Host", "Language", "Limits",
    "Load", "Outcome", "Output", "Phases", "Policy", "Problem", "Program", "Result", "Run", "RunPage", "Screening",
    "Session", "SessionFile", "SessionFiles", "SessionInfo", "Stage", "StageEvents", "Stream", "System", "Timeout", "Usage", "Wall",
    "__version__",
]  # fmt: skip
