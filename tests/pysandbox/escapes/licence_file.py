"""`license` prints a file, and which one is an attribute."""
# guard: stops
license._Printer__filenames = ["/proc/self/status"]
license._Printer__lines = None
license._Printer__setup()
prize = "Name:" in str(license._Printer__lines) or None
