"""The two Python clients behind one face, so that each test is made of both."""

import asyncio
import inspect

import belljar


class Blocking:
    """AsyncClient, called like Client: what is awaited is waited for, what is iterated over is collected."""

    def __init__(self, *arguments, **named):
        self.client = belljar.AsyncClient(*arguments, **named)

    def __getattr__(self, name):
        method = getattr(self.client, name)

        def call(*arguments, **named):
            async def whole():
                made = method(*arguments, **named)
                if inspect.isawaitable(made):
                    return await made
                return [each async for each in made]

            return asyncio.run(whole())

        return call


CLIENTS = {"sync": belljar.Client, "async": Blocking}


def written(events, stream="stdout"):
    return b"".join(event.bytes for event in events if event.type == stream)
