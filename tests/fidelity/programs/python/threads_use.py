import threading

count = 0
lock = threading.Lock()


def work():
    global count
    for _ in range(1000):
        with lock:
            count += 1


threads = [threading.Thread(target=work, name=str(number)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{len(threads)} threads counted to {count}")
print("joined", *(thread.name for thread in threads))
