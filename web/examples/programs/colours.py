import sys

for row in range(6):
    print("".join(f"\x1b[48;2;{40 * row + 20};{120 + column * 2};{220 - column * 3}m  " for column in range(32)) + "\x1b[0m")
for code, name in enumerate(["red", "green", "yellow", "blue", "magenta", "cyan"], 31):
    print(f"\x1b[{code}m{name}\x1b[0m \x1b[1;{code}mbold\x1b[0m \x1b[4;{code}munderlined\x1b[0m")
print("This came on standard error.", file=sys.stderr)
