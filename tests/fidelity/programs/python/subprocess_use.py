import signal
import subprocess

answer = subprocess.run(["tr", "a-z", "A-Z"], input="hello", text=True, capture_output=True)
print("child said", answer.stdout)
print("child exited with", subprocess.run(["sh", "-c", "exit 7"]).returncode)
child = subprocess.Popen(["sleep", "60"])
child.send_signal(signal.SIGTERM)
print("child ended by signal", -child.wait())
