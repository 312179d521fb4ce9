"""Coroutines have their code under another name, which makes functions of any bytecode."""
# guard: is passed
async def f():
    return "mine"


running = f()
code = running.cr_code
running.close()
made = type(lambda: 0)(code.replace(co_flags=code.co_flags & ~0x80, co_consts=(None, "forged")), {})
prize = made()
