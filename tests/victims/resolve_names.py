"""Resolves names by libc, by hand over UDP and TCP, and through the host's caches (T093)."""

import socket

from attempt import attempt, say

try:
    socket.getaddrinfo("example.com", 80)
    say("attempt getaddrinfo: ok")
except socket.gaierror as error:
    say(f"attempt getaddrinfo: {'EAI_AGAIN' if error.errno == socket.EAI_AGAIN else error.errno}")
question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01"
for server in ("8.8.8.8", "127.0.0.53"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(2)
        attempt(f"udp {server}", link.sendto, question, (server, 53))
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
    link.settimeout(2)
    attempt("tls", link.connect, ("9.9.9.9", 853))
