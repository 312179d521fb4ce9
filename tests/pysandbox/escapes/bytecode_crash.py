"""Bytecode that no compiler makes: the interpreter reads a constant far out of the tuple."""
# guard: is passed
async def f():
    return 1


running = f()
code = running.cr_code
running.close()
type(lambda: 0)(code.replace(co_flags=3, co_consts=(), co_code=bytes([151, 0, 144, 255, 144, 255, 144, 255, 100, 255, 83, 0])), {})()
prize = "it went well"
