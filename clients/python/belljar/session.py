"""Sessions: interpreters that keep what one execution sets for the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, AsyncIterator, Generator, Iterator, Mapping, Optional

from . import calls, model
from .calls import Call, Code
from .errors import Problem
from .program import Content, Limit

if TYPE_CHECKING:
    from .aio import AsyncClient, AsyncExecutionStream
    from .client import Client, ExecutionStream


class Session:
    """A session; `with` quits it at the end. Any number of threads may share one: executions come one after the other.

    `id` is what Client.attach takes, `info` the session as it was when it began or was attached to; `look` asks anew.
    What is asked of a session that has ended is a Problem with status 409, which says why it has.
    """

    def __init__(self, client: "Client", info: model.SessionInfo) -> None:
        self._client = client
        self.info = info
        self.id = info.id

    def __repr__(self) -> str:
        return f"Session({self.id!r})"

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.quit()
        except Problem as problem:
            if not _is_forgotten(problem):
                raise

    def execute(
        self,
        code: Code,
        *,
        context: Optional[str] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        wait_timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
    ) -> model.Execution:
        """Executes code and waits for its end. `limits` are `wall`, `cpu` and `output`, of this execution alone.

        `code` is a text, or a code object made by the version of CPython that the session has.
        Code that fails or is stopped is no error: `status` and `error` of the execution say how it ended. After
        `wait_timeout` seconds Timeout is raised, and the execution goes on.
        """
        return self._client._send(calls.execute(self.id, idempotency_key, code, context, limits), wait_timeout)

    def submit(
        self,
        code: Code,
        *,
        context: Optional[str] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        idempotency_key: Optional[str] = None,
    ) -> str:
        """Has code executed when its turn comes, and answers with the execution's id."""
        return self._client._send(calls.submit_execution(self.id, idempotency_key, code, context, limits))

    def stream(
        self,
        code: Code,
        *,
        context: Optional[str] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        idempotency_key: Optional[str] = None,
    ) -> "ExecutionStream":
        """Executes code and gives its events as they come.

        It is submitted first, and its events are asked for then: a connection that is lost is taken up where it broke.
        Code is sent twice only with an idempotency key.
        """
        first = calls.submit_execution(self.id, idempotency_key, code, context, limits)
        return self._client._execution_stream(self.id, first)

    def events(self, id: str, after: int = 0) -> "ExecutionStream":
        """The events of an execution that is there, those from before too, or those after a number."""
        first = calls.execution_events(self.id, id, after)
        return self._client._execution_stream(self.id, first, id, after)

    def get(self, id: str, *, wait: bool = False, wait_timeout: Optional[float] = None) -> model.Execution:
        """An execution as it is now, or with `wait` when it has ended."""
        return self._client._send(calls.execution(self.id, id, wait), wait_timeout)

    def executions(
        self, *, state: Optional[str] = None, page_size: Optional[int] = None
    ) -> Iterator[model.ExecutionSummary]:
        """What was executed, newest first, also after the session has ended. A page is asked for when it is needed."""
        cursor: Optional[str] = None
        while True:
            page = self._client._send(calls.executions(self.id, cursor, state=state, limit=page_size))
            yield from page.executions
            cursor = page.next
            if cursor is None:
                return

    def interrupt(self) -> None:
        """Ends what is executed, which keeps the state; where nothing is, a Problem with status 409."""
        self._client._send(calls.interrupt(self.id))

    def look(self) -> model.SessionInfo:
        """The session as it is now."""
        return self._client._send(calls.look(self.id))

    def pause(self) -> model.SessionInfo:
        """From here on executions are refused (409), and `idle` is not counted; while one is under way: 409."""
        return self._client._send(calls.pause(self.id))

    def resume(self) -> model.SessionInfo:
        """Lets a paused session execute again."""
        return self._client._send(calls.resume(self.id))

    def files(self) -> model.SessionFiles:
        """The files below /box, once what is executed has ended; so do the other methods for files."""
        return self._client._send(calls.files(self.id))

    def read_file(self, path: str) -> bytes:
        """The bytes of a regular file; `path` is relative to /box."""
        return self._client._send(calls.read_file(self.id, path))

    def write_file(self, path: str, content: Content) -> model.SessionFile:
        """Writes a file in place of what is there, and makes the folders on the way."""
        return self._client._send(calls.write_file(self.id, path, content))

    def remove_file(self, path: str) -> None:
        """Removes a file, or an empty folder."""
        self._client._send(calls.remove_file(self.id, path))

    def create_context(self, name: str) -> model.SessionInfo:
        """One more interpreter, with the same files and no variable of the others."""
        return self._client._send(calls.create_context(self.id, name))

    def restart_context(self, name: str = "default") -> model.SessionInfo:
        """A fresh interpreter in place of one; the files stay."""
        return self._client._send(calls.restart_context(self.id, name))

    def remove_context(self, name: str) -> model.SessionInfo:
        """Ends an interpreter other than the default one."""
        return self._client._send(calls.remove_context(self.id, name))

    def quit(self) -> model.SessionInfo:
        """Ends the session and what is executed in it; of one that has ended already, says so."""
        return self._client._send(calls.quit(self.id))


class AsyncSession:
    """The same as Session for asyncio. It is begun, or attached to, by `async with` or `await`; `id` is known then.

    `stream` and `events` are iterated over with `async for`; everything else is awaited.
    """

    info: model.SessionInfo
    id: str

    def __init__(self, client: "AsyncClient", first: "Call[model.SessionInfo]") -> None:
        self._client = client
        self._first = first

    def __repr__(self) -> str:
        return f"AsyncSession({getattr(self, 'id', None)!r})"

    def __await__(self) -> "Generator[object, None, AsyncSession]":
        return self._begin().__await__()

    async def _begin(self) -> "AsyncSession":
        if not hasattr(self, "info"):
            self.info = await self._client._send(self._first)
            self.id = self.info.id
        return self

    async def __aenter__(self) -> "AsyncSession":
        return await self._begin()

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.quit()
        except Problem as problem:
            if not _is_forgotten(problem):
                raise

    async def execute(
        self,
        code: Code,
        *,
        context: Optional[str] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        wait_timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
    ) -> model.Execution:
        """Executes code and waits for its end, as Session.execute does."""
        return await self._client._send(calls.execute(self.id, idempotency_key, code, context, limits), wait_timeout)

    async def submit(
        self,
        code: Code,
        *,
        context: Optional[str] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        idempotency_key: Optional[str] = None,
    ) -> str:
        """Has code executed when its turn comes, and answers with the execution's id."""
        return await self._client._send(calls.submit_execution(self.id, idempotency_key, code, context, limits))

    def stream(
        self,
        code: Code,
        *,
        context: Optional[str] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        idempotency_key: Optional[str] = None,
    ) -> "AsyncExecutionStream":
        """Executes code and gives its events as they come, as Session.stream does."""
        first = calls.submit_execution(self.id, idempotency_key, code, context, limits)
        return self._client._execution_stream(self.id, first)

    def events(self, id: str, after: int = 0) -> "AsyncExecutionStream":
        """The events of an execution that is there, those from before too, or those after a number."""
        first = calls.execution_events(self.id, id, after)
        return self._client._execution_stream(self.id, first, id, after)

    async def get(self, id: str, *, wait: bool = False, wait_timeout: Optional[float] = None) -> model.Execution:
        """An execution as it is now, or with `wait` when it has ended."""
        return await self._client._send(calls.execution(self.id, id, wait), wait_timeout)

    async def executions(
        self, *, state: Optional[str] = None, page_size: Optional[int] = None
    ) -> AsyncIterator[model.ExecutionSummary]:
        """What was executed, newest first, also after the session has ended. A page is asked for when it is needed."""
        cursor: Optional[str] = None
        while True:
            page = await self._client._send(calls.executions(self.id, cursor, state=state, limit=page_size))
            for execution in page.executions:
                yield execution
            cursor = page.next
            if cursor is None:
                return

    async def interrupt(self) -> None:
        """Ends what is executed, which keeps the state; where nothing is, a Problem with status 409."""
        await self._client._send(calls.interrupt(self.id))

    async def look(self) -> model.SessionInfo:
        """The session as it is now."""
        return await self._client._send(calls.look(self.id))

    async def pause(self) -> model.SessionInfo:
        """From here on executions are refused (409), and `idle` is not counted; while one is under way: 409."""
        return await self._client._send(calls.pause(self.id))

    async def resume(self) -> model.SessionInfo:
        """Lets a paused session execute again."""
        return await self._client._send(calls.resume(self.id))

    async def files(self) -> model.SessionFiles:
        """The files below /box, once what is executed has ended; so do the other methods for files."""
        return await self._client._send(calls.files(self.id))

    async def read_file(self, path: str) -> bytes:
        """The bytes of a regular file; `path` is relative to /box."""
        return await self._client._send(calls.read_file(self.id, path))

    async def write_file(self, path: str, content: Content) -> model.SessionFile:
        """Writes a file in place of what is there, and makes the folders on the way."""
        return await self._client._send(calls.write_file(self.id, path, content))

    async def remove_file(self, path: str) -> None:
        """Removes a file, or an empty folder."""
        await self._client._send(calls.remove_file(self.id, path))

    async def create_context(self, name: str) -> model.SessionInfo:
        """One more interpreter, with the same files and no variable of the others."""
        return await self._client._send(calls.create_context(self.id, name))

    async def restart_context(self, name: str = "default") -> model.SessionInfo:
        """A fresh interpreter in place of one; the files stay."""
        return await self._client._send(calls.restart_context(self.id, name))

    async def remove_context(self, name: str) -> model.SessionInfo:
        """Ends an interpreter other than the default one."""
        return await self._client._send(calls.remove_context(self.id, name))

    async def quit(self) -> model.SessionInfo:
        """Ends the session and what is executed in it; of one that has ended already, says so."""
        return await self._client._send(calls.quit(self.id))


def _is_forgotten(problem: Problem) -> bool:
    # The service forgets a session some time after its end.
    return problem.status == 404
