"""The two Python clients behind one face, so that each test is made of both."""

import asyncio
import inspect

import belljar


class Waiting:
    """An object for asyncio, called like its sibling: what is awaited is waited for, what is iterated over is collected."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        method = getattr(self.inner, name)
        if not callable(method):
            return method

        def call(*arguments, **named):
            async def whole():
                made = method(*arguments, **named)
                if inspect.isawaitable(made):
                    return await made
                return [each async for each in made]

            made = asyncio.run(whole())
            return Waiting(made) if isinstance(made, belljar.AsyncSession) else made

        return call

    def __enter__(self):
        asyncio.run(self.inner.__aenter__())
        return self

    def __exit__(self, *error):
        asyncio.run(self.inner.__aexit__(*error))


class Blocking(Waiting):
    """AsyncClient, called like Client."""

    def __init__(self, *arguments, **named):
        super().__init__(belljar.AsyncClient(*arguments, **named))


CLIENTS = {"sync": belljar.Client, "async": Blocking}


def written(events, stream="stdout"):
    return b"".join(event.bytes for event in events if event.type == stream)
