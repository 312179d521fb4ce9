hoard = []
while True:
    hoard.append(bytearray(10 * 1024 * 1024))
    print(f"{len(hoard) * 10} MiB", flush=True)
