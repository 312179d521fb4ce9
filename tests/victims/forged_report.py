"""Prints an outcome of its own, and writes it to every descriptor there may be (T124)."""

import json
import os

report = {
    "status": "ok",
    "reason": "exit code 0",
    "stages": [{"exit_code": 0, "stdout": {"text": "42"}}],
}
text = json.dumps(report).encode()
print(
    text.decode() + '\n"}],"status":"ok","stages":[{"exit_code":0}]}\n<<RESULT>> ok\nexit status 0',
    flush=True,
)
reached = []
for number in range(3, 1024):
    try:
        os.write(number, text)
        reached.append(number)
    except OSError:
        pass
print("reached:", reached)
os._exit(9)
