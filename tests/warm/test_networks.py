"""A network namespace serves one cell after the other as long as each leaves it as it was."""

import time

import pytest

from one import HERE
from support.service import live_service
from test_channels import run, warm

pytestmark = pytest.mark.flaky(reruns=0)  # about walls: nothing in it has a second try
SOURCE = (HERE / "left_in_network.py").read_text()
# The same in an interpreter that a cell without one executes.
SCRIPT = f"exec python3 /dev/fd/3 \"$1\" 3<<'END'\n{SOURCE}\nEND\n"
TRACES = ["time_wait", "datagram", "unreachable", "route"]
AFTERWARDS = 8


@pytest.fixture(scope="module")
def service():
    """One run at a time, so that what is kept is what the next one gets."""
    with live_service("--concurrent", "1", "--pool", "2", "--rate", "0") as made:
        warm(made)
        yield made


def network(service, trace, language):
    """The cookie of the namespace that a run was in."""
    fields = {"source": SCRIPT, "language": "bash"} if language == "bash" else {"source": SOURCE}
    stage = run(service, trace, **fields)
    assert stage["status"] == "ok", stage
    return int(stage["stdout"]["text"].split()[0])


@pytest.mark.parametrize("language", ["python", "bash"])
def test_one_that_is_as_it_was_is_used_again(service, language):
    seen = [network(service, "nothing", language) for _ in range(AFTERWARDS)]
    assert len(set(seen)) < len(seen), "each run had a namespace of its own: the tests below would show nothing"


@pytest.mark.parametrize("language", ["python", "bash"])
@pytest.mark.parametrize("trace", TRACES)
def test_one_with_a_trace_is_never_used_again(service, trace, language):
    marked = network(service, trace, language)
    assert marked not in [network(service, "nothing", language) for _ in range(AFTERWARDS)]


@pytest.mark.parametrize("language", ["python", "bash"])
def test_a_socket_that_nobody_holds_is_never_in_the_way_of_the_next(service, language):
    """The kernel collects such sockets when it has time. Before that the namespace is not used again (the unit tests
    hold one there); after that it may be. Whichever it was, the next cell can take the same name."""
    for _ in range(AFTERWARDS):
        network(service, "in_flight", language)


def test_no_route_tells_when_another_cell_has_used_it(service):
    source = (HERE / "route_age.py").read_text()

    def look(how):
        cookie, age = run(service, how, source=source)["stdout"]["text"].split()
        return cookie, int(age)

    used = [look("use") for _ in range(3)]
    assert min(age for _, age in used) >= 20, "a cell does not see its own: the test below would show nothing"
    time.sleep(1)
    seen = [look("look") for _ in range(AFTERWARDS)]
    assert {cookie for cookie, _ in seen} & {cookie for cookie, _ in used}, "no namespace was used again"
    # Of its own lookup, which may be a moment ago.
    assert max(age for _, age in seen) < 20, seen


def test_a_cell_without_loopback_does_not_get_one_that_had_it(service):
    with_lo = {network(service, "nothing", "python") for _ in range(3)}
    source = "import socket\nwith socket.socket(socket.AF_UNIX) as any_socket:\n" \
             "    print(int.from_bytes(any_socket.getsockopt(socket.SOL_SOCKET, 71, 8), 'little'))\n" \
             "try:\n    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))\n" \
             "except OSError as error:\n    print(type(error).__name__)\n"  # fmt: skip
    for _ in range(3):
        cookie, *rest = run(service, source=source, policy="strict")["stdout"]["text"].split()
        assert int(cookie) not in with_lo and rest == ["OSError"]
    assert network(service, "nothing", "python") != int(cookie)
