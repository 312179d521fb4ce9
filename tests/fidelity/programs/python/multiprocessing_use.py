import multiprocessing
import os


def square(number, queue, ready):
    ready.wait()
    queue.put((os.getpid(), sum(n * n for n in range(number, 10, 4))))


if __name__ == "__main__":
    queue = multiprocessing.Queue()
    ready = multiprocessing.Event()
    workers = [
        multiprocessing.Process(target=square, args=(number, queue, ready)) for number in range(4)
    ]
    for worker in workers:
        worker.start()
    ready.set()
    answers = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    print(f"{len(workers)} processes summed squares to {sum(part for _, part in answers)}")
    if len({pid for pid, _ in answers} | {os.getpid()}) == 5:
        print("every process had an id of its own")
