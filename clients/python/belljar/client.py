"""The client for programs without asyncio."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import uuid
from typing import TYPE_CHECKING, Any, Dict, Generic, Iterator, List, Mapping, Optional, Sequence, TypeVar, Union

from . import calls, model, retry
from .calls import Answer, Call
from .errors import BelljarError, ConnectionLost, Problem, Timeout
from .following import RUN, Following, Kind, execution_in
from .place import Place
from .program import Content, Files, Limit, Program, program_of
from .session import Session
from .sse import EventParser

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .program import Options

Value = TypeVar("Value")
Self = TypeVar("Self", bound="EventStream[Any]")
PIECE = 1 << 16
# Two beats of the service's, which it sends every 15 seconds where there is nothing else.
SILENCE_OF_STREAMS = 35.0


class Exchange:
    """One request that was sent, and its answer as it comes."""

    def __init__(self, place: Place, call: "Call[Any]", timeout: float, silence: Optional[float]) -> None:
        if place.context is None:
            self._connection = http.client.HTTPConnection(place.host, place.port, timeout=timeout)
        else:
            self._connection = http.client.HTTPSConnection(
                place.host, place.port, timeout=timeout, context=place.context
            )
        self._response: Optional[http.client.HTTPResponse] = None
        self._silence = silence
        try:
            self._send(place, call, silence)
        except BaseException:
            self.close()
            raise

    def _send(self, place: Place, call: "Call[Any]", silence: Optional[float]) -> None:
        try:
            self._connection.connect()
        except OSError as error:
            raise ConnectionLost(f"cannot reach {place}: {error}", sent=False) from error
        self._connection.sock.settimeout(silence)
        watch(self._connection.sock)
        refused: Optional[OSError] = None
        try:
            self._connection.request(call.method, place.target(call), call.body, place.headers(call))
        except (BrokenPipeError, ConnectionResetError) as error:
            refused = error  # a body that is too large is answered before it was read
        except OSError as error:
            raise self._lost(error) from error
        try:
            self._response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(refused or error) from error
        self.status = self._response.status
        self.headers = self._response.headers

    def _lost(self, error: Exception) -> BelljarError:
        if isinstance(error, socket.timeout):
            return Timeout(f"nothing came for {self._silence:g} s")
        return ConnectionLost(f"the connection was lost: {error or type(error).__name__}")

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes."""
        assert self._response is not None
        while True:
            try:
                piece = self._response.read1(PIECE)
            except (OSError, http.client.HTTPException) as error:
                raise self._lost(error) from error
            if not piece:
                return
            yield piece

    def answer(self) -> Answer:
        """All of it."""
        assert self._response is not None
        try:
            # Unlike pieces(), read() says where a body with a length is cut short.
            body = self._response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error
        return Answer(self.status, self.headers, body)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        self._connection.close()


def watch(connection: socket.socket) -> None:
    """Has the kernel find out within two minutes that the other side is gone, however long it may be silent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class EventStream(Generic[Kind]):
    """Events, to be iterated over; the last one is the outcome.

    A connection that is lost is made again, and goes on after the last event that came. Leaving does not end what
    has the events. `id` is whose they are, `last_event_id` the number of the last event that came.
    """

    def __init__(self, client: "Client", following: "Following[Kind]") -> None:
        self._client = client
        self._following = following
        self._exchange: Optional[Exchange] = client._repeat(following.call(), self._open)
        self._events = self._read()

    def __iter__(self) -> Iterator[Kind]:
        return self

    def __next__(self) -> Kind:
        return next(self._events)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def id(self) -> str:
        assert self._following.id is not None
        return self._following.id

    @property
    def last_event_id(self) -> int:
        return self._following.last

    def close(self) -> None:
        """Reads no more. What has the events goes on."""
        self._events.close()
        self._leave()

    def _leave(self) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def _open(self, call: "Call[Answer]") -> Optional[Exchange]:
        """The connection that the events come through; None where the answer was the id alone."""
        exchange = Exchange(self._client._place, call, self._client._timeout, SILENCE_OF_STREAMS)
        is_stream = False
        try:
            if not 200 <= exchange.status < 300:
                exchange.answer().check()
            is_stream = self._following.opened(exchange.headers)
            if not is_stream:
                self._following.named(exchange.answer())
        finally:
            if not is_stream:
                exchange.close()
        return exchange if is_stream else None

    def _read(self) -> Iterator[Kind]:
        following = self._following
        while following.end is None:
            try:
                if self._exchange is None:
                    self._exchange = self._open(following.call())
                if self._exchange is None:
                    continue
                parser = EventParser(following.kind)
                for piece in self._exchange.pieces():
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
            time.sleep(pause)


class Stream(EventStream[model.Event]):
    """A run's events. `run` is the run as it ended, when the outcome has come."""

    @property
    def run(self) -> Optional[model.Run]:
        return self._following.end


class ExecutionStream(EventStream[model.ExecutionEvent]):
    """An execution's events. `execution` is the execution as it ended, when the outcome has come."""

    @property
    def execution(self) -> Optional[model.Execution]:
        return self._following.end


class Client:
    """Speaks to a service. Any number of threads may share one; nothing is held open between calls.

    url          where `belljar serve` listens
    key          the secret of `belljar keys create`, where the service asks for one
    timeout      seconds to connect, and that the service may be silent where an answer is due at once
    retries      how often a request that failed for a passing reason (429, 502 to 504, a lost connection) is sent
                 again, after the pause that `Retry-After` asks for. A program is sent again only with an
                 idempotency key, or where it was certainly not accepted
    reconnects   how often in a row a stream is taken up again without an event in between
    ssl_context  for https, in place of Python's default

    Proxies that the environment names are not used.
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

    def run(
        self,
        source: Union[str, Program, None] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        wait_timeout: Optional[float] = None,
        **options: "Unpack[Options]",
    ) -> model.Run:
        """Runs a program and waits for its end; `options` are what Program has.

        A program that fails or is stopped is no error: `status` of the run says how it ended. After `wait_timeout`
        seconds Timeout is raised, and the run goes on.
        """
        program = program_of(source, language, options)
        return self._send(calls.run(program, idempotency_key), wait_timeout)

    def submit(
        self,
        source: Union[str, Program, None] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        **options: "Unpack[Options]",
    ) -> str:
        """Has a program accepted, which makes it durable, and answers with the run's id."""
        return self._send(calls.submit(program_of(source, language, options), idempotency_key))

    def stream(
        self,
        source: Union[str, Program, None] = None,
        language: Optional[str] = None,
        *,
        idempotency_key: Optional[str] = None,
        **options: "Unpack[Options]",
    ) -> Stream:
        """Runs a program and gives its events as they come.

        Without an idempotency key it has one of its own, so that a lost connection never makes a second run.
        """
        program = program_of(source, language, options)
        first = calls.start_stream(program, idempotency_key or str(uuid.uuid4()))
        return Stream(self, Following(RUN, first, None, 0, self._reconnects))

    def events(self, id: str, after: int = 0) -> Stream:
        """The events of a run that is there, those from before too, or those after a number."""
        return Stream(self, Following(RUN, calls.events(id, after), id, after, self._reconnects))

    def get(self, id: str, *, wait: bool = False, wait_timeout: Optional[float] = None) -> model.Run:
        """A run as it is now, or with `wait` when it has ended."""
        return self._send(calls.get(id, wait), wait_timeout)

    def list(
        self,
        *,
        state: Optional[str] = None,
        language: Optional[str] = None,
        batch: Optional[str] = None,
        page_size: Optional[int] = None,
    ) -> Iterator[model.Run]:
        """The caller's runs, newest first, without their outcomes. A page is asked for when it is needed."""
        cursor: Optional[str] = None
        while True:
            page = self._send(calls.page(cursor, state=state, language=language, batch=batch, limit=page_size))
            yield from page.runs
            cursor = page.next
            if cursor is None:
                return

    def cancel(self, id: str) -> None:
        """Ends a run; of one that has ended already, a Problem with status 409."""
        self._send(calls.cancel(id))

    def request(self, id: str) -> Dict[str, Any]:
        """What a run was asked for with, as it was recorded."""
        return self._send(calls.request(id))

    def artifacts(self, id: str) -> List[model.Artifact]:
        """The files that a run left."""
        return self._send(calls.artifacts(id))

    def artifact(self, id: str, path: Union[str, model.Artifact]) -> bytes:
        """The bytes of one of them."""
        return self._send(calls.artifact(id, path))

    # ---- Batches ----

    def batch(self, programs: Sequence[Program], *, idempotency_key: Optional[str] = None) -> model.AcceptedBatch:
        """Has several programs accepted together."""
        return self._send(calls.batch(programs, idempotency_key))

    def batch_of_inputs(
        self,
        program: Program,
        inputs: Sequence[Mapping[str, Optional[Content]]],
        *,
        idempotency_key: Optional[str] = None,
    ) -> model.AcceptedBatch:
        """Has one program accepted with several inputs: `stdin`, and `expected` where there shall be a verdict."""
        return self._send(calls.batch_of_inputs(program, inputs, idempotency_key))

    def get_batch(self, id: str) -> model.Batch:
        """How far a batch is."""
        return self._send(calls.get_batch(id))

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
    ) -> Session:
        """Begins a session, which keeps what one execution sets for the next; `with` quits it at the end.

        `files` are there from the beginning, `limits` are the cell's; `wall`, `cpu` and `output` of them hold for each
        execution that names no others. After `ttl`, or `idle` without an execution, it ends by itself: both are
        seconds, or texts such as "10m".
        """
        call = calls.create_session(
            idempotency_key, language=language, files=files, env=env, limits=limits, policy=policy, ttl=ttl, idle=idle
        )
        return Session(self, self._send(call))

    def attach(self, id: str) -> Session:
        """A session that is there; of one that is not, a Problem with status 404."""
        return Session(self, self._send(calls.look(id)))

    def sessions(self) -> List[model.SessionInfo]:
        """The caller's sessions, oldest first; those that have ended for ten minutes more."""
        return self._send(calls.sessions())

    # ---- The service ----

    def languages(self) -> List[model.Language]:
        """The languages, and which of them the host can run."""
        return self._send(calls.languages())

    def policies(self) -> List[model.Policy]:
        """The policies, with their limits."""
        return self._send(calls.policies())

    def walls(self) -> List[model.Wall]:
        """What the walls are that outcomes name."""
        return self._send(calls.walls())

    def system(self) -> model.System:
        """The service and its host."""
        return self._send(calls.system())

    def health(self) -> bool:
        """Whether the service lives."""
        return self._send(calls.health())

    def ready(self) -> bool:
        """Whether the service takes runs."""
        return self._send(calls.ready())

    def metrics(self) -> str:
        """The metrics, in Prometheus' text format."""
        return self._send(calls.metrics())

    def contract(self) -> str:
        """The service's OpenAPI document."""
        return self._send(calls.contract())

    # ---- Sending ----

    def _execution_stream(
        self, session: str, first: "Call[Any]", id: Optional[str] = None, after: int = 0
    ) -> ExecutionStream:
        return ExecutionStream(self, Following(execution_in(session), first, id, after, self._reconnects))

    def _send(self, call: "Call[Value]", wait_timeout: Optional[float] = None) -> Value:
        silence = wait_timeout if call.waits else self._timeout

        def once(call: "Call[Value]") -> Value:
            exchange = Exchange(self._place, call, self._timeout, silence)
            try:
                return call.read(exchange.answer())
            finally:
                exchange.close()

        return self._repeat(call, once)

    def _repeat(self, call: "Call[Any]", once: Any) -> Any:
        attempt = 0
        while True:
            try:
                return once(call)
            except (ConnectionLost, Problem) as error:
                attempt += 1
                pause = retry.pause_before(attempt, error, call) if attempt <= self._retries else None
                if pause is None:
                    raise
            time.sleep(pause)
