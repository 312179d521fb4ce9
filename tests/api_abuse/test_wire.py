"""T131 to T137: bytes that are not quite HTTP, too many of them, or too slow."""

import concurrent.futures
import contextlib
import http.client
import os
import re
import socket
import time

import pytest

from support.client import read_all, statuses
from support.command import wait_until

HOST = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
POST = b"POST /v1/runs HTTP/1.1\r\n" + HOST
FOLLOWING = GET + HOST + b"Connection: close\r\n\r\n"  # must not be read as a second request
MIB = 1 << 20


def rows(*table):
    """(id, name, bytes, statuses) as parameters; the id becomes the catalogue marker."""
    return pytest.mark.parametrize(
        "data, wanted",
        [
            pytest.param(data, wanted, id=f"{case}-{name}", marks=pytest.mark.catalogue(case))
            for case, name, data, wanted in table
        ],
    )


@rows(
    ("T132", "fine", FOLLOWING, [200]),
    ("T132", "no-host", GET + b"Connection: close\r\n\r\n", [400]),
    ("T132", "two-hosts", GET + HOST + HOST + b"\r\n" + FOLLOWING, [400]),
    ("T132", "nul", GET + HOST + b"X: a\0b\r\n\r\n" + FOLLOWING, [400]),
    ("T132", "bare-cr", GET + HOST + b"X: a\rb\r\n\r\n" + FOLLOWING, [400]),
    ("T132", "bare-lf", GET.replace(b"\r", b"") + b"Host: x\n\n" + FOLLOWING, [400]),
    ("T132", "name-not-ascii", GET + HOST + b"X\xe9: a\r\n\r\n" + FOLLOWING, [400]),
    ("T132", "space-before-colon", GET + HOST + b"X : a\r\n\r\n" + FOLLOWING, [400]),
    ("T132", "no-name", GET + HOST + b": a\r\n\r\n" + FOLLOWING, [400]),
    ("T132", "many-headers", GET + HOST + b"X: a\r\n" * 100_000 + b"\r\n", [431]),
    ("T132", "long-header", GET + HOST + b"X: " + b"a" * MIB + b"\r\n\r\n", [431]),
    ("T132", "long-target", b"GET /" + b"a" * MIB + b" HTTP/1.1\r\n" + HOST + b"\r\n", [431]),
    ("T132", "two-keys", GET.replace(b"healthz", b"v1/runs") + HOST + b"Authorization: x\r\n" * 2 + b"Connection: close\r\n\r\n", [401]),
)
def test_headers(service, data, wanted):
    assert statuses(service.exchange(data)) == wanted


LENGTHS = [b"-1", b"+5", b"0x10", b"9223372036854775808", b"18446744073709551616", b"5, 5", b"5 5", b"", b"1e3", b"5\x0b"]  # fmt: skip
CODINGS = [b"chunked, identity", b"xchunked", b"identity", b"chunked, chunked", b"gzip, chunked", b"gzip", b"chunked\x0b", b"\"chunked\"", b""]  # fmt: skip
BODY = b"5\r\n12345\r\n0\r\n\r\n"


@pytest.mark.catalogue("T133")
@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_is_none(service, length):
    answer = service.exchange(POST + b"Content-Length: " + length + b"\r\n\r\n12345" + FOLLOWING)
    assert statuses(answer) in ([400], [413])


@pytest.mark.catalogue("T133")
@pytest.mark.parametrize("coding", CODINGS)
def test_a_coding_that_is_not_known(service, coding):
    """Its end cannot be told: nothing after it may be taken for a request."""
    answer = service.exchange(POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + FOLLOWING)
    assert statuses(answer) == [400]
    answer = service.exchange(POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + BODY + FOLLOWING)
    assert statuses(answer) == [400]


@rows(
    ("T133", "two-lengths", POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345" + FOLLOWING, [400]),
    ("T133", "length-then-coding", POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY + FOLLOWING, [400]),
    ("T133", "coding-then-length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + BODY + FOLLOWING, [400]),
    ("T133", "two-codings", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY + FOLLOWING, [400]),
    ("T133", "shorter-than-its-length", POST + b"Content-Length: 2\r\n\r\n{}XX" + FOLLOWING, [400, 405]),
    ("T133", "in-order-control", POST + b"Content-Length: 2\r\n\r\n{}" + FOLLOWING, [400, 200]),
    ("T134", "control", POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + FOLLOWING, [400, 200]),
)
def test_where_a_request_ends(service, data, wanted):
    assert statuses(service.exchange(data)) == wanted


CHUNKS = {
    "negative": b"-2\r\nxx\r\n0\r\n\r\n",
    "64-bits": b"ffffffffffffffff\r\nxx\r\n0\r\n\r\n",
    "68-bits": b"fffffffffffffffff\r\nxx\r\n0\r\n\r\n",
    "prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "space": b" 2\r\n{}\r\n0\r\n\r\n",
    "no-line-end": b"2\r\n{}XX0\r\n\r\n",
    "bare-lf": b"2\n{}\n0\n\n",
    "long-extension": b"2;" + b"a" * MIB + b"\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.catalogue("T134")
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
def test_chunks(service, chunks):
    answer = service.exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + FOLLOWING)
    assert statuses(answer) in ([400], [413], [431])


CHUNKED = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


def drip(service, head, body):
    """The answer where each byte of the body comes by itself."""
    with service.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            connection.sendall(head)
            for each in range(len(body)):
                time.sleep(0.005)
                connection.sendall(body[each : each + 1])
            connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


@pytest.mark.catalogue("T134")
@pytest.mark.parametrize(
    "body",
    [b"0\r\n\r\n", b"0\r\n1231\r\n6\r", b"0\r\nX: y\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nX\r\n\r\n", b"0\r"],
)
def test_chunks_byte_by_byte(service, body):
    """No cut of them ends the gateway: `service` looks afterwards whether it is still the same."""
    answer = drip(service, CHUNKED, body)
    assert statuses(answer) == [400], answer


FRAMING = {
    "one-extension": lambda size: b"2;a=" + b"b" * size + b"\r\n{}\r\n0\r\n\r\n",
    "last-extension": lambda size: b"2\r\n{}\r\n0;a=" + b"b" * size + b"\r\n\r\n",
    "many-extensions": lambda size: (b"1;a=" + b"b" * 90 + b"\r\n \r\n") * (size // 90) + b"2\r\n{}\r\n0\r\n\r\n",
    "one-trailer": lambda size: b"2\r\n{}\r\n0\r\nX: " + b"a" * size + b"\r\n\r\n",
    "many-trailers": lambda size: b"2\r\n{}\r\n0\r\n" + b"X: aaa\r\n" * (size // 8) + b"\r\n",
    "zeros": lambda size: b"0" * size + b"2\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.catalogue("T134")
@pytest.mark.parametrize("size", [6_000, 10_000, 60_000, 8 * MIB])
@pytest.mark.parametrize("form", FRAMING.values(), ids=FRAMING.keys())
def test_what_chunks_say_besides_is_bounded(service, form, size):
    """8 KiB in all; what fits is a request like another, here one that lacks a source."""
    answer = service.exchange(CHUNKED + form(size))
    if size < 8192:
        assert statuses(answer) == [400] and b"source" in answer
        return
    # Or a reset, where it was still sending.
    assert statuses(answer) in ([431], []), answer
    assert not answer or b"extensions and trailers must be at most 8.0 KiB" in answer


@pytest.mark.catalogue("T134", "T141")
def test_a_trailer_is_no_header(keyed):
    """What comes behind the body is not who asks, for which host, or how long the body was."""
    trailer = b"Authorization: Bearer " + keyed.callers["alice"][1].encode() + b"\r\n"
    head = CHUNKED.replace(b"/v1/runs", b"/v1/runs?wait=1").replace(HOST, HOST + b"Content-Type: application/json\r\n")
    body = b'{"language":"python","source":"print(1)"}'
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
    assert statuses(keyed.exchange(head + chunk + trailer + b"\r\n")) == [401]
    # The same as a header is one.
    assert statuses(keyed.exchange(head.replace(HOST, HOST + trailer) + chunk + b"\r\n")) == [200]
    for name in (b"Host: evil.example", b"Content-Length: 1", b"Transfer-Encoding: gzip"):
        answer = keyed.exchange(head.replace(HOST, HOST + trailer) + chunk + name + b"\r\n\r\n")
        assert statuses(answer) in ([200], [400])
        assert statuses(answer) == [200] or b"Host" not in name


@pytest.mark.catalogue("T134")
def test_the_body_is_counted_decoded(serve):
    """One-byte chunks: six bytes on the wire for each, and the cap is on what they make."""
    service = serve("--max-body=64K")
    head = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    fits = service.exchange(head + b"1\r\n \r\n" * 60_000 + b"0\r\n\r\n")
    assert statuses(fits) == [400]
    before = service.gateway.resident()
    for _ in range(3):
        over = service.exchange(head + b"1\r\n \r\n" * 200_000 + b"0\r\n\r\n")
        assert statuses(over) in ([413], [])  # or a reset, where it was still sending
    assert service.gateway.resident() - before < 16 * MIB


@pytest.mark.catalogue("T131")
def test_a_header_without_an_end_takes_no_memory(service):
    before = service.gateway.resident()

    def flood(_):
        with service.connect() as connection:
            with contextlib.suppress(OSError):
                for _ in range(16):
                    connection.sendall(b"A" * MIB)
            return read_all(connection)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(flood, range(40)))
    assert all(statuses(answer) in ([400], [431], []) for answer in answers)
    assert service.gateway.resident() - before < 16 * MIB


@pytest.mark.catalogue("T135")
def test_slow_clients_are_ended_and_hold_nobody_up(service):
    """A byte now and then does not move the deadline: it is for the whole header."""
    starts = [b"", b"G", GET, GET + HOST + b"X: ", POST + b"Content-Len"]
    baseline = service.gateway.descriptors()
    with contextlib.ExitStack() as stack:
        slow = []
        for start in starts * 6:
            connection = stack.enter_context(service.connect())
            connection.sendall(start)
            connection.setblocking(False)
            slow.append(connection)
        open_ones = list(slow)

        def all_ended():
            for connection in list(open_ones):
                with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                    connection.send(b"a")
                try:
                    while connection.recv(4096):
                        pass
                    open_ones.remove(connection)
                except BlockingIOError:
                    pass
                except OSError:
                    open_ones.remove(connection)
            assert service.call("GET", "/healthz").status == 200
            time.sleep(0.3)
            return not open_ones

        wait_until(all_ended, "the end of slow connections", 45)
    wait_until(lambda: service.gateway.descriptors() <= baseline + 2, "their descriptors to be free")


@pytest.mark.catalogue("T135")
def test_a_client_that_never_reads_holds_nobody_up(service):
    run = service.run("print('x' * 1_000_000)", limits={"output": "2M"})
    request = f"GET /v1/runs/{run['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    before = service.gateway.resident()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", service.port))
            connection.sendall(request * 20)  # the second is not begun before the first is read
        service.is_well()
        assert service.gateway.resident() - before < 128 * MIB
    service.is_well()


def is_turned_away(connection):
    """Closed by the service, with or without a word before."""
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.catalogue("T136")
def test_connections_are_capped_and_come_back(serve):
    service = serve("--max-connections=30")
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(service.connect()) for _ in range(60)]
        wait_until(lambda: sum(map(is_turned_away, idle)) >= 30, "thirty to be turned away")
        assert sum(map(is_turned_away, idle)) == 30
        answer = service.exchange(b"")
        assert statuses(answer) == [503] and b"all 30 connections are taken" in answer
    wait_until(lambda: can_ask(service), "an answer when they are gone")
    service.is_well()


def connect_from(service, address):
    return socket.create_connection(("127.0.0.1", service.port), 60, source_address=(address, 0))


def ask_from(service, address):
    """The statuses of a request from there."""
    with connect_from(service, address) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(FOLLOWING)
        answer = read_all(connection)
        assert statuses(answer) == [200] or b"more than 5 connections from " + address.encode() in answer
        return statuses(answer)


@pytest.mark.catalogue("T136")
def test_one_address_does_not_take_all_connections(serve):
    service = serve("--max-connections=20", "--max-connections-per-address=5", "--proxies=127.0.0.9")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect_from(service, "127.0.0.2")) for _ in range(5)]
        assert ask_from(service, "127.0.0.2") == [503]
        assert ask_from(service, "127.0.0.3") == [200]
        # A proxy's connections are its clients'.
        proxied = [stack.enter_context(connect_from(service, "127.0.0.9")) for _ in range(10)]
        assert ask_from(service, "127.0.0.9") == [200]
        assert not any(map(is_turned_away, held + proxied))
    wait_until(lambda: ask_from(service, "127.0.0.2") == [200], "an answer when they are gone")
    assert 'belljar_refusals_total{reason="connections"}' in service.call("GET", "/metrics").body.decode()


@pytest.mark.catalogue("T136")
def test_who_is_turned_away_holds_nothing(serve):
    """Only some are told why, and those not for long."""
    service = serve("--max-connections=20", "--max-connections-per-address=5", "--proxies=127.0.0.9")
    baseline = service.gateway.descriptors()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect_from(service, "127.0.0.4"))
        crowd = [stack.enter_context(connect_from(service, "127.0.0.4")) for _ in range(200)]
        wait_until(lambda: all(map(is_turned_away, crowd)), "all to be turned away")
        wait_until(lambda: service.gateway.descriptors() <= baseline + 7, "their descriptors to be free")


def can_ask(service):
    try:
        return service.call("GET", "/healthz").status == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.catalogue("T136")
def test_pipelined_requests_are_answered_in_order(service):
    paths = [b"/healthz" if each % 3 else b"/nothing" for each in range(2000)]
    requests = [b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" for path in paths]
    requests[-1] = requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with service.connect() as connection, concurrent.futures.ThreadPoolExecutor(1) as pool:
        sending = pool.submit(connection.sendall, b"".join(requests))
        answer = read_all(connection)
        sending.result()
    assert statuses(answer) == [200 if path == b"/healthz" else 404 for path in paths]


@pytest.mark.catalogue("T136")
def test_half_open_connections_are_let_go(service):
    baseline = service.gateway.descriptors()
    for _ in range(200):
        with service.connect() as connection:
            connection.sendall(b"GET /healthz HT")
    wait_until(lambda: service.gateway.descriptors() <= baseline + 2, "descriptors to be free")


@rows(
    ("T136", "http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", [400]),
    ("T136", "websocket-frame", b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", [400]),
    ("T136", "tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), [400]),
    ("T136", "no-version", b"GET /healthz\r\n\r\n", [400]),
    ("T136", "version-9", b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n", [400]),
    ("T136", "version-1.0", b"GET /healthz HTTP/1.0\r\n\r\n" + FOLLOWING, [200]),
    ("T136", "random", os.urandom(1000), [400]),
)
def test_another_protocol(service, data, wanted):
    assert statuses(service.exchange(data)) == wanted


def target(text, method=b"GET"):
    return method + b" " + text + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


@rows(
    *(
        ("T137", name, target(text), [wanted])
        for name, text, wanted in [
            ("asterisk", b"*", 400),
            ("absolute", b"http://localhost/healthz", 400),
            ("authority", b"localhost:80", 400),
            ("two-slashes", b"//evil.example/healthz", 404),
            ("dots", b"/healthz/../v1/runs", 404),
            ("encoded-dots", b"/v1/runs/%2e%2e/%2e%2e/etc/passwd", 404),
            ("encoded-slashes", b"/v1/runs/..%2f..%2fetc%2fpasswd", 404),
            ("backslashes", b"/v1/runs/..%5c..%5cx", 404),
            ("nul", b"/healthz%00", 400),
            ("overlong-dot", b"/%c0%ae%c0%ae/", 400),
            ("half-escape", b"/%", 400),
            ("wrong-escape", b"/%zz", 400),
            ("raw-bytes", b"/\xff\xfe", 400),
            ("fragment", b"/healthz#x", 400),
            ("parameters", b"/healthz;x=y", 404),
            ("upper-case", b"/HEALTHZ", 404),
            ("trailing-slash", b"/healthz/", 404),
            ("line-break", b"/v1/runs/%0d%0aX-Injected:%20yes", 404),
            ("bad-query", b"/healthz?%00=%ff&&&===", 200),
        ]
    ),
    *(
        ("T137", f"method-{name}", target(b"/v1/runs", method), wanted)
        for name, method, wanted in [
            ("trace", b"TRACE", [405]),
            ("connect", b"CONNECT", [405]),
            ("lower-case", b"get", [405]),
            ("unknown", b"BREW", [405]),
            ("long", b"A" * 1000, [405]),
            ("delete", b"DELETE", [405]),
            ("head", b"HEAD", [200]),
            ("options", b"OPTIONS", [204]),
        ]
    ),
)
def test_targets_and_methods(service, data, wanted):
    answer = service.exchange(data)
    assert statuses(answer) == wanted
    assert not re.search(rb"(?im)^x-injected", answer) and b"root:" not in answer


@pytest.mark.catalogue("T137")
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_is_not_overridden(service, header):
    answer = service.call("GET", "/v1/runs", headers={header: "POST"})
    assert answer.status == 200 and "runs" in answer.json


@pytest.mark.catalogue("T137")
@pytest.mark.parametrize("ranges", ["bytes=0-0", "bytes=" + ",".join(["0-"] * 1300), "bytes=9-1", "lines=1"])
def test_ranges_are_not_served(service, ranges):
    answer = service.call("GET", "/openapi.yaml", headers={"Range": ranges})
    whole = service.call("GET", "/openapi.yaml")
    assert (answer.status, answer.body) == (200, whole.body)


@pytest.mark.catalogue("T137")
def test_a_head_has_the_length_and_no_body(service):
    answer = service.exchange(target(b"/healthz", b"HEAD"))
    length = re.search(rb"(?i)content-length: (\d+)", answer)
    assert length and int(length[1]) > 0 and answer.endswith(b"\r\n\r\n")


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.catalogue("T136", "T151")
@pytest.mark.parametrize("value", [None, "", "x" * 5000], ids=["good", "empty", "long"])
@pytest.mark.parametrize("name", HANDSHAKE)
def test_a_socket_that_says_nothing_is_let_go(service, name, value):
    """Also when the handshake was good, and the client went away before it asked for a run."""
    baseline = service.gateway.descriptors()
    sent = HANDSHAKE if value is None else {**HANDSHAKE, name: value}
    head = "".join(f"{each}: {text}\r\n" for each, text in sent.items())
    raw = b"GET /v1/runs/interactive HTTP/1.1\r\n" + HOST + head.encode() + b"\r\n"
    for _ in range(5):
        with service.connect() as connection:
            connection.sendall(raw)
            first = connection.recv(4096)
        assert statuses(first) in ([101], [400], [426]), first
        assert value is not None or statuses(first) == [101]
    wait_until(lambda: service.gateway.descriptors() <= baseline + 2, "descriptors to be free")
