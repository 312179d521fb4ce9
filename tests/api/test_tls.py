"""HTTP, events and WebSockets over TLS, and what is refused of its files."""

import http.client
import json
import ssl
import subprocess

import pytest
import websocket
from support.command import binary
from support.service import free_port
from support.tls import make_certificate


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate that names 127.0.0.1 and its key, which only their owner may read."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make_certificate(certificate, key)
    return certificate, key


@pytest.fixture
def secure(serve, files):
    return serve("--tls-certificate", str(files[0]), "--tls-key", str(files[1]))


def connect(service, files, **options):
    context = ssl.create_default_context(cafile=files[0])
    for name, value in options.items():
        setattr(context, name, value)
    return http.client.HTTPSConnection(*service.address, context=context, timeout=30)


def test_runs_and_events_over_tls(secure, files):
    link = connect(secure, files)
    body = json.dumps({"language": "python", "source": "print('sealed')"})
    for query, wanted in (("wait=1", '"text":"sealed\\n"'), ("stream=1", 'event: outcome')):
        link.request("POST", f"/v1/runs?{query}", body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        assert answer.status == 200 and wanted in answer.read().decode()
    link.close()


def test_interactive_runs_over_tls(secure, files):
    host, port = secure.address
    talk = websocket.create_connection(
        f"wss://{host}:{port}/v1/runs/interactive", sslopt={"ca_certs": str(files[0])}, timeout=30
    )
    talk.send(json.dumps({"type": "start", "run": {"language": "python", "source": "print(input()[::-1])"}}))
    talk.send(json.dumps({"type": "stdin", "text": "abc\n"}))
    seen = []
    while not seen or seen[-1]["type"] != "outcome":
        seen.append(json.loads(talk.recv()))
    assert {"type": "stdout", "text": "cba\n"} in seen
    talk.close()


def test_the_port_of_e2b_stays_plain(serve, files):
    port = free_port()
    service = serve("--tls-certificate", str(files[0]), "--tls-key", str(files[1]), "--e2b-port", str(port))
    plain = http.client.HTTPConnection(service.address[0], port, timeout=30)
    plain.request("GET", "/health")
    assert plain.getresponse().status == 200
    plain.close()


def test_old_tls_and_plain_http_are_refused(secure, files):
    with pytest.raises(ssl.SSLError):
        connect(secure, files, maximum_version=ssl.TLSVersion.TLSv1_1).request("GET", "/healthz")
    plain = http.client.HTTPConnection(*secure.address, timeout=30)
    with pytest.raises((http.client.BadStatusLine, ConnectionError)):
        plain.request("GET", "/healthz")
        plain.getresponse()
    # and the service goes on
    link = connect(secure, files)
    link.request("GET", "/healthz")
    assert link.getresponse().status == 200


@pytest.mark.parametrize(
    "words, named",
    [(["--tls-certificate", "{certificate}"], "give both"), (["--tls-certificate", "{certificate}", "--tls-key", "/nowhere"], "/nowhere")],
)  # fmt: skip
def test_files_that_do_not_fit_are_told(files, tmp_path, words, named):
    words = [word.format(certificate=files[0], key=files[1]) for word in words]
    done = subprocess.run(
        [binary(), "serve", "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path / "state"), *words],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0 and named in done.stderr
