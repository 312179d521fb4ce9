"""A number of a thousand million digits: one operation that no interpreter can interrupt (T040)."""

print(len(str(7 ** (10**9))))
