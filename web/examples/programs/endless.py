print("This will not end by itself.", flush=True)
while True:
    pass
