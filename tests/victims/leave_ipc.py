"""Makes shared memory, semaphores, queues and sockets with known names, and waits (T170)."""

import socket
import sys

from attempt import libc, say

key = int(sys.argv[1])
say(f"attempt make shm: {'ok' if libc.shmget(key, 4096, 0o1666) >= 0 else 'refused'}")
say(f"attempt make sem: {'ok' if libc.semget(key, 1, 0o1666) >= 0 else 'refused'}")
say(f"attempt make msg: {'ok' if libc.msgget(key, 0o1666) >= 0 else 'refused'}")
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"\0belljar-{key}")
listener.listen()
tcp = socket.create_server(("127.0.0.1", 40000 + key % 20000))
sys.stdin.read()
