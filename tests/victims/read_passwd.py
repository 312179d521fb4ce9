"""Prints /etc/passwd: it must be the cell's and not the host's (T068)."""

print(open("/etc/passwd").read(), end="")
