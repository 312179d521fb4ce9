"""Reading strace's log: which process plays which role, and where a fault was injected."""

import collections
import re

LINE = re.compile(r"^(?P<pid>\d+)\s+(?:<\.\.\. )?(?P<call>\w+)")


class Roles:
    """Follows a log and says what each process is at each line: client, warden (a fork of it), init-setup (pid 1
    before it executes init), program-setup (pid 2 before it executes the program), init, program."""

    NEXT = {"client": "warden", "warden": "init-setup", "init-setup": "program-setup"}
    AFTER_EXEC = {"init-setup": "init", "program-setup": "program"}

    def __init__(self):
        self.role = {}
        self.order = []
        self.cloned = False  # the warden has begun to make a cell

    def of(self, pid: str) -> str:
        if pid not in self.role:
            # Processes appear in the order in which they are made: client, warden, pid 1, pid 2. What an ordinary
            # user's warden starts before its first cell helps with the maps of its user namespace.
            if len(self.order) == 2 and not self.cloned:
                self.role[pid] = "helper"
                return self.role[pid]
            names = ["client", "warden", "init-setup", "program-setup"]
            self.role[pid] = names[len(self.order)] if len(self.order) < len(names) else "program"
            self.order.append(pid)
        return self.role[pid]

    def line(self, text: str):
        """(role, call, finished) of one line, or None."""
        match = LINE.match(text)
        if match is None:
            return None
        pid, call = match["pid"], match["call"]
        role = self.of(pid)
        finished = "<unfinished" not in text
        self.cloned = self.cloned or (role == "warden" and call == "clone3" and "CLONE_NEWPID" in text)
        if call in ("execve", "execveat") and finished and re.search(r"= 0\b", text) and "INJECTED" not in text:
            self.role[pid] = self.AFTER_EXEC.get(role, role)
        return role, call, finished


def calls_by_role(log: str):
    """For each set-up role: the calls it makes and how often."""
    roles = Roles()
    counts = collections.defaultdict(collections.Counter)
    for text in log.splitlines():
        seen = roles.line(text)
        if seen and not ("resumed" in text):
            counts[seen[0]][seen[1]] += 1
    return counts


def injected_roles(log: str) -> list[str]:
    """The roles in which strace says that it injected something."""
    roles = Roles()
    found = []
    for text in log.splitlines():
        seen = roles.line(text)
        if seen and "(INJECTED)" in text:
            found.append(seen[0])
    return found
