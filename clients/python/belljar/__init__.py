"""A client for Belljar, which runs programs that nobody trusts and tells exactly what happened.

    import belljar

    run = belljar.Client().run("print(6 * 7)", "python")
    print(run.status, run.stdout)
"""

from .aio import AsyncClient, AsyncStream
from .client import Client, Stream
from .errors import BadAnswer, BelljarError, ConnectionLost, Problem, Timeout
from .model import (
    Accepted,
    AcceptedBatch,
    Artifact,
    Batch,
    DeniedSyscall,
    Event,
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
    Run,
    RunPage,
    Screening,
    Stage,
    StageEvents,
    System,
    Usage,
    Wall,
)
from .place import VERSION as __version__
from .program import File, Program

__all__ = [
    "Accepted", "AcceptedBatch", "Artifact", "AsyncClient", "AsyncStream", "BadAnswer", "Batch", "BelljarError",
    "Client", "ConnectionLost", "DeniedSyscall", "Event", "File", "Finding", "Hello", "Host", "Language", "Limits",
    "Load", "Outcome", "Output", "Phases", "Policy", "Problem", "Program", "Run", "RunPage", "Screening", "Stage",
    "StageEvents", "Stream", "System", "Timeout", "Usage", "Wall", "__version__",
]  # fmt: skip
