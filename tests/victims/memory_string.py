"""Makes a string of a gigabyte: safe-code-executor's memory bomb (T008)."""

x = "a" * 1000000000
print("made it", len(x))
