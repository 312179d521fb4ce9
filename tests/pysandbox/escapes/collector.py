"""The collector knows all objects: among them is where the guard keeps what it took."""
# guard: is passed
collector = __builtins__.__loader__.load_module("gc")
for each in collector.get_objects():
    if type(each) is dict and "open" in each and "compile" in each and "__import__" in each and len(each) < 10:
        prize = each["__import__"]("os")
prize = prize or __builtins__.__loader__.load_module("posix")
