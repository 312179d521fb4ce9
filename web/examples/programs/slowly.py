import time

for number in range(1, 31):
    print(f"line {number}", flush=True)
    time.sleep(0.2)
