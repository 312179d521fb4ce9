"""Certificates for servers of the suites."""

import subprocess


def make_certificate(certificate, key):
    """A certificate that names 127.0.0.1 and signs itself, and its key, which only their owner may read."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    certificate.chmod(0o644)
    key.chmod(0o600)
