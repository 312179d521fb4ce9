"""The client for programs with asyncio: the same calls, none of which holds up the loop or takes a thread."""

from __future__ import annotations

import asyncio
import email.message
import http.client
import io
import ssl
import uuid
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Dict,
    Generic,
    List,
    Mapping,
    Optional,
    Sequence,
    TypeVar,
    Union,
)

from . import calls, model, retry
from .calls import Answer, Call
from .client import PIECE, SILENCE_OF_STREAMS, watch
from .errors import BadAnswer, BelljarError, ConnectionLost, Problem, Timeout
from .following import RUN, Following, Kind, execution_in
from .place import Place
from .program import Content, Files, Limit, Program, program_of
from .session import AsyncSession
from .sse import EventParser

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .program import Options

Value = TypeVar("Value")
Self = TypeVar("Self", bound="AsyncEventStream[Any]")
MOST_HEADERS = 256


class AsyncExchange:
    """One request that was sent, and its answer as it comes: HTTP/1.1 as the service and its proxies speak it."""

    status: int
    headers: email.message.Message

    def __init__(self, place: Place, timeout: float, silence: Optional[float]) -> None:
        self._place = place
        self._timeout = timeout
        self._silence = silence
        self._writer: Optional[asyncio.StreamWriter] = None

    async def open(self, call: "Call[Any]") -> None:
        """Sends the request, and reads the answer's head."""
        place = self._place
        try:
            opening = asyncio.open_connection(place.host, place.port, ssl=place.context)
            self._reader, self._writer = await asyncio.wait_for(opening, self._timeout)
        except (OSError, asyncio.TimeoutError) as error:
            why = str(error) or "it took too long"
            raise ConnectionLost(f"cannot reach {place}: {why}", sent=False) from error
        watch(self._writer.get_extra_info("socket"))
        lines = [f"{call.method} {place.target(call)} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in place.headers(call).items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("ascii") + (call.body or b""))
        try:
            await self._within(self._writer.drain())
        except ConnectionLost:
            pass  # a body that is too large is answered before it was read
        while True:
            await self._read_head()
            if self.status >= 200:
                return

    async def _read_head(self) -> None:
        first = await self._line()
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise BadAnswer(f"what answered does not speak HTTP: {first!r:.100}")
        self.status = int(rest[:3])
        head = b""
        for _ in range(MOST_HEADERS):
            line = await self._line()
            head += line
            if line in (b"\r\n", b"\n"):
                self.headers = http.client.parse_headers(io.BytesIO(head))
                return
        raise BadAnswer("the answer has too many headers")

    async def _within(self, step: Awaitable[Value]) -> Value:
        """What a step gives, which must not take longer than the silence that is allowed."""
        try:
            return await asyncio.wait_for(step, self._silence)
        except asyncio.TimeoutError:
            raise Timeout(f"nothing came for {self._silence:g} s") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ConnectionLost(f"the connection was lost: {error or type(error).__name__}") from error

    async def _line(self) -> bytes:
        try:
            line = await self._within(self._reader.readline())
        except ValueError:
            raise BadAnswer("a line of the answer's head is too long") from None
        if not line.endswith(b"\n"):
            raise ConnectionLost("the connection was lost within the answer")
        return line

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while True:
                line = await self._line()
                try:
                    size = int(line.split(b";")[0], 16)
                except ValueError:
                    raise BadAnswer(f"this is no chunk: {line!r:.100}") from None
                if size == 0:
                    while await self._line() not in (b"\r\n", b"\n"):
                        pass  # trailers
                    return
                async for piece in self._bytes(size):
                    yield piece
                await self._line()
        elif self.headers.get("Content-Length") is not None:
            async for piece in self._bytes(int(self.headers["Content-Length"])):
                yield piece
        else:
            while True:
                piece = await self._within(self._reader.read(PIECE))
                if not piece:
                    return
                yield piece

    async def _bytes(self, size: int) -> AsyncIterator[bytes]:
        while size > 0:
            piece = await self._within(self._reader.read(min(size, PIECE)))
            if not piece:
                raise ConnectionLost("the connection was lost within the answer")
            size -= len(piece)
            yield piece

    async def answer(self) -> Answer:
        """All of it."""
        body = b"".join([piece async for piece in self.pieces()])
        return Answer(self.status, self.headers, body)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class AsyncEventStream(Generic[Kind]):
    """Events, to be iterated over with `async for`; the last one is the outcome.

    The same as EventStream. The request is sent by `async with`, or when the first event is asked for; `id` is known then.
    """

    def __init__(self, client: "AsyncClient", following: "Following[Kind]") -> None:
        self._client = client
        self._following = following
        self._exchange: Optional[AsyncExchange] = None
        self._began = False
        self._events = self._read()

    def __aiter__(self) -> AsyncIterator[Kind]:
        return self

    async def __anext__(self) -> Kind:
        return await self._events.__anext__()

    async def __aenter__(self: Self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def id(self) -> Optional[str]:
        return self._following.id

    @property
    def last_event_id(self) -> int:
        return self._following.last

    async def close(self) -> None:
        """Reads no more. What has the events goes on."""
        await self._events.aclose()
        self._leave()

    def _leave(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    async def _begin(self) -> None:
        if not self._began:
            self._began = True
            self._exchange = await self._client._repeat(self._following.call(), self._open)

    async def _open(self, call: "Call[Answer]") -> Optional[AsyncExchange]:
        """The connection that the events come through; None where the answer was the id alone."""
        exchange = AsyncExchange(self._client._place, self._client._timeout, SILENCE_OF_STREAMS)
        is_stream = False
        try:
            await exchange.open(call)
            if not 200 <= exchange.status < 300:
                (await exchange.answer()).check()
            is_stream = self._following.opened(exchange.headers)
            if not is_stream:
                self._following.named(await exchange.answer())
        finally:
            if not is_stream:
                exchange.close()
        return exchange if is_stream else None

    async def _read(self) -> AsyncIterator[Kind]:
        following = self._following
        await self._begin()
        while following.end is None:
            try:
                if self._exchange is None:
                    self._exchange = await self._open(following.call())
                if self._exchange is None:
                    continue
                parser = EventParser(following.kind)
                async for piece in self._exchange.pieces():
                    for event in parser.feed(piece):
                        if following.took(event):
                            yield event
                        if following.end is not None:
                            return
                raise following.ended()
            except BelljarError as error:
                pause = following.failed(error)
            finally:
                self._leave()
            await asyncio.sleep(pause)


class AsyncStream(AsyncEventStream[model.Event]):
    """A run's events, to be iterated over with `async for`. The same as Stream."""

    @property
    def run(self) -> Optional[model.Run]:
        return self._following.end


class AsyncExecutionStream(AsyncEventStream[model.ExecutionEvent]):
    """An execution's events, to be iterated over with `async for`. The same as ExecutionStream."""

    @property
    def execution(self) -> Optional[model.Execution]:
        return self._following.end


class AsyncClient:
    """Speaks to a service from within an asyncio loop. The arguments are Client's, and so are the methods.

    `stream`, `events` and `list` are iterated over with `async for`, a session is begun with `async with`; everything
    else is awaited. What is cancelled
    closes its connection at once; a run that had been accepted goes on.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        key: Optional[str] = None,
        timeout: float = 30.0,
        *,
        retries: int = 0,
        reconnects: int = 5,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._place = Place(url, key, ssl_context)
        self._timeout = timeout
        self._retries = retries
        self._reconnects = reconnects

    # ---- Runs ----

    async def run(
        self,
        source: Union[str, Program, None] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        wait_timeout: Optional[float] = None,
        **options: "Unpack[Options]",
    ) -> model.Run:
        """Runs a program and waits for its end, as Client.run does."""
        program = program_of(source, language, options)
        return await self._send(calls.run(program, idempotency_key), wait_timeout)

    async def submit(
        self,
        source: Union[str, Program, None] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        **options: "Unpack[Options]",
    ) -> str:
        """Has a program accepted, which makes it durable, and answers with the run's id."""
        return await self._send(calls.submit(program_of(source, language, options), idempotency_key))

    def stream(
        self,
        source: Union[str, Program, None] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        **options: "Unpack[Options]",
    ) -> AsyncStream:
        """Runs a program and gives its events as they come, as Client.stream does."""
        program = program_of(source, language, options)
        first = calls.start_stream(program, idempotency_key or str(uuid.uuid4()))
        return AsyncStream(self, Following(RUN, first, None, 0, self._reconnects))

    def events(self, id: str, after: int = 0) -> AsyncStream:
        """The events of a run that is there, those from before too, or those after a number."""
        return AsyncStream(self, Following(RUN, calls.events(id, after), id, after, self._reconnects))

    async def get(self, id: str, *, wait: bool = False, wait_timeout: Optional[float] = None) -> model.Run:
        """A run as it is now, or with `wait` when it has ended."""
        return await self._send(calls.get(id, wait), wait_timeout)

    async def list(
        self,
        *,
        state: Optional[str] = None,
        language: Optional[str] = None,
        batch: Optional[str] = None,
        page_size: Optional[int] = None,
    ) -> AsyncIterator[model.Run]:
        """The caller's runs, newest first, without their outcomes. A page is asked for when it is needed."""
        cursor: Optional[str] = None
        while True:
            call = calls.page(cursor, state=state, language=language, batch=batch, limit=page_size)
            page = await self._send(call)
            for run in page.runs:
                yield run
            cursor = page.next
            if cursor is None:
                return

    async def cancel(self, id: str) -> None:
        """Ends a run; of one that has ended already, a Problem with status 409."""
        await self._send(calls.cancel(id))

    async def request(self, id: str) -> Dict[str, Any]:
        """What a run was asked for with, as it was recorded."""
        return await self._send(calls.request(id))

    async def artifacts(self, id: str) -> List[model.Artifact]:
        """The files that a run left."""
        return await self._send(calls.artifacts(id))

    async def artifact(self, id: str, path: Union[str, model.Artifact]) -> bytes:
        """The bytes of one of them."""
        return await self._send(calls.artifact(id, path))

    # ---- Batches ----

    async def batch(
        self, programs: Sequence[Program], *, idempotency_key: Optional[str] = None
    ) -> model.AcceptedBatch:
        """Has several programs accepted together."""
        return await self._send(calls.batch(programs, idempotency_key))

    async def batch_of_inputs(
        self,
        program: Program,
        inputs: Sequence[Mapping[str, Optional[Content]]],
        *,
        idempotency_key: Optional[str] = None,
    ) -> model.AcceptedBatch:
        """Has one program accepted with several inputs: `stdin`, and `expected` where there shall be a verdict."""
        return await self._send(calls.batch_of_inputs(program, inputs, idempotency_key))

    async def get_batch(self, id: str) -> model.Batch:
        """How far a batch is."""
        return await self._send(calls.get_batch(id))

    # ---- Sessions ----

    def session(
        self,
        language: Optional[str] = None,
        *,
        files: Optional[Files] = None,
        env: Optional[Mapping[str, str]] = None,
        limits: Optional[Mapping[str, Limit]] = None,
        policy: Optional[str] = None,
        ttl: Union[str, float, None] = None,
        idle: Union[str, float, None] = None,
        idempotency_key: Optional[str] = None,
    ) -> AsyncSession:
        """Begins a session, as Client.session does.

        `async with` begins it and quits it at the end; `await` only begins it.
        """
        call = calls.create_session(
            idempotency_key, language=language, files=files, env=env, limits=limits, policy=policy, ttl=ttl, idle=idle
        )
        return AsyncSession(self, call)

    def attach(self, id: str) -> AsyncSession:
        """A session that is there, for `await` or `async with`; of one that is not, a Problem with status 404."""
        return AsyncSession(self, calls.look(id))

    async def sessions(self) -> List[model.SessionInfo]:
        """The caller's sessions, oldest first; those that have ended for ten minutes more."""
        return await self._send(calls.sessions())

    # ---- The service ----

    async def languages(self) -> List[model.Language]:
        """The languages, and which of them the host can run."""
        return await self._send(calls.languages())

    async def policies(self) -> List[model.Policy]:
        """The policies, with their limits."""
        return await self._send(calls.policies())

    async def walls(self) -> List[model.Wall]:
        """What the walls are that outcomes name."""
        return await self._send(calls.walls())

    async def system(self) -> model.System:
        """The service and its host."""
        return await self._send(calls.system())

    async def health(self) -> bool:
        """Whether the service lives."""
        return await self._send(calls.health())

    async def ready(self) -> bool:
        """Whether the service takes runs."""
        return await self._send(calls.ready())

    async def metrics(self) -> str:
        """The metrics, in Prometheus' text format."""
        return await self._send(calls.metrics())

    async def contract(self) -> str:
        """The service's OpenAPI document."""
        return await self._send(calls.contract())

    # ---- Sending ----

    def _execution_stream(
        self, session: str, first: "Call[Any]", id: Optional[str] = None, after: int = 0
    ) -> AsyncExecutionStream:
        return AsyncExecutionStream(self, Following(execution_in(session), first, id, after, self._reconnects))

    async def _send(self, call: "Call[Value]", wait_timeout: Optional[float] = None) -> Value:
        silence = wait_timeout if call.waits else self._timeout

        async def once(call: "Call[Value]") -> Value:
            exchange = AsyncExchange(self._place, self._timeout, silence)
            try:
                await exchange.open(call)
                return call.read(await exchange.answer())
            finally:
                exchange.close()

        return await self._repeat(call, once)

    async def _repeat(self, call: "Call[Any]", once: Callable[["Call[Any]"], Awaitable[Any]]) -> Any:
        attempt = 0
        while True:
            try:
                return await once(call)
            except (ConnectionLost, Problem) as error:
                attempt += 1
                pause = retry.pause_before(attempt, error, call) if attempt <= self._retries else None
                if pause is None:
                    raise
            await asyncio.sleep(pause)
