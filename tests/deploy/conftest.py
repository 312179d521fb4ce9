"""What the deployment's tests share: one live service that has seen a bit of everything."""

import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.service import live_service  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What makes a series of each kind appear: runs of both stages and several ends, a refused system
# call, a session, a request that is turned away.
# Not one that a zygote denies itself, which nobody counts.
MOUNT = "import ctypes; ctypes.CDLL(None).mount(0, 0, 0, 0, 0)"
REQUESTS = (
    {"language": "python", "source": "print(1)"},
    {"language": "python", "source": MOUNT},
    {"language": "python", "source": "while True: pass", "limits": {"wall": "300ms"}},
    {"language": "c", "source": "int main(void) { return 3; }"},
)


@pytest.fixture(scope="session")
def service():
    with live_service() as live:
        for request in REQUESTS:
            answer = live.call("POST", "/v1/runs?wait=1", request)
            assert answer.status == 200, answer
        session = live.call("POST", "/v1/sessions", {})
        assert session.status == 201, session
        path = f"/v1/sessions/{session.json['id']}"
        assert live.call("POST", path + "/executions?wait", {"code": "1"}).status == 200
        assert live.call("DELETE", path).status == 200
        answer = live.call("GET", "/v1/runs", headers={"Authorization": "Bearer bj_wrong"})
        assert answer.status == 401, answer
        assert live.call("GET", "/nowhere").status == 404
        yield live


@pytest.fixture(scope="session")
def metrics_page(service):
    answer = service.call("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.body.decode()


@pytest.fixture(scope="session")
def known_settings():
    """The names that settings have in the environment."""
    known = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', (ROOT / "src/api/setting_fields.h").read_text()))
    if "BELLJAR_FLEET" not in known:
        pytest.skip("the service has no settings of a fleet yet")
    return known
