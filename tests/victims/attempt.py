"""For victims in Python: one line per attempt, "attempt WHAT: EPERM" or "attempt WHAT: ok"."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def say(line):
    os.write(1, f"{line}\n".encode())


def name_of(number):
    return errno.errorcode.get(number, f"errno {number}")


def attempt(what, function, *arguments):
    """Calls, prints the answer's name, and gives back the result or None."""
    try:
        result = function(*arguments)
    except OSError as error:
        say(f"attempt {what}: {name_of(error.errno)}")
        return None
    say(f"attempt {what}: ok")
    return result


def syscall(number, *arguments):
    """A raw system call that raises OSError; integers are passed as longs."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), "syscall")
    return result
