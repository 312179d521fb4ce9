import os
import signal
import subprocess


def caught(number, frame):
    name = signal.Signals(number).name
    print("the timer fired" if name == "SIGALRM" else f"caught {name}", flush=True)


for number in (signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
    signal.signal(number, caught)
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGINT)
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
child = subprocess.Popen(["sleep", "60"])
child.terminate()
print("a child without a handler ended by signal", -child.wait())
