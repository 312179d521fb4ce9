"""Asks for the address of a well-known name: safe-code-executor's network attack (T093)."""

import socket

print(socket.gethostbyname("google.com"))
