"""Each module knows its loader, and that one loads others."""
# guard: is passed
prize = print.__self__.__loader__.load_module("posix")
