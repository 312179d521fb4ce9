"""What sends webhooks in the tests: a service that may send them to loopback."""

from support.client import PATIENCE
from support.command import wait_until
from support.service import LiveService


class Service(LiveService):
    def __init__(self, folder, *options, allow="127.0.0.1", retry="50ms", env=None):
        super().__init__(
            folder, "--sync", "normal", "--webhook-ports", "1024-65535", "--webhook-allow", allow,
            "--webhook-retry", retry, *options, env=env,
        )  # fmt: skip

    def submit_for(self, url, source="echo done"):
        """The id of a run that tells `url`."""
        return self.submit(source, "bash", webhook=url)

    def attempts(self, **fields):
        return self.logged("webhook", **fields)

    def sender(self):
        """The process, waited for: it is started when there is something to send."""
        (sender,) = wait_until(lambda: self.children("webhooks"), "the sender", PATIENCE)
        return sender
