"""A clock that jumps from one event to the next, and what runs wait for on it.

Our own, because Debian's SimPy is version 2.3.1: its processes are classes, which cannot be put together from
one another as the steps of a run can, its simulation is one for the whole program, and what is written about
SimPy today is about another interface. This is less to read. A process is a generator that yields what it
waits for; each `yield` gives back the seconds for which it stood in line there, which is what a model of
queues is asked for.
"""

import collections
import heapq


class Clock:
    """Times are seconds. Events of one moment happen in the order in which they were asked for."""

    def __init__(self):
        self.now = 0.0
        self._due = []
        self._asked = 0

    def after(self, seconds, then, *given):
        self._asked += 1
        heapq.heappush(self._due, (self.now + seconds, self._asked, then, given))

    def wait(self, seconds):
        """To yield: time that passes without anybody in the way."""
        return lambda resume: self.after(seconds, resume, 0.0)

    def start(self, process):
        """Runs a process as far as it goes at this moment, and goes on with it when what it yielded has come."""

        def resume(waited):
            try:
                process.send(waited)(resume)
            except StopIteration:
                pass

        resume(None)

    def run(self):
        """Until nothing is due any more."""
        while self._due:
            self.now, _, then, given = heapq.heappop(self._due)
            then(*given)


class Station:
    """So many servers and one line before them: first come, first served, nobody interrupted."""

    def __init__(self, clock, servers):
        self._clock = clock
        self.servers = servers
        self._busy = 0
        self._line = collections.deque()
        self.worked = 0.0  # seconds of all servers together

    def use(self, seconds):
        """To yield: a server for so long."""

        def ask(resume):
            if self._busy < self.servers:
                self._busy += 1
                self._serve(seconds, resume, 0.0)
            else:
                self._line.append((seconds, resume, self._clock.now))

        return ask

    def _serve(self, seconds, resume, waited):
        self.worked += seconds
        self._clock.after(seconds, self._served, resume, waited)

    def _served(self, resume, waited):
        if self._line:
            seconds, following, since = self._line.popleft()
            self._serve(seconds, following, self._clock.now - since)
        else:
            self._busy -= 1
        resume(waited)


class GroupCommit:
    """A log whose every flush takes all that came before it began along, as PostgreSQL's does."""

    def __init__(self, clock, seconds):
        self._clock = clock
        self._seconds = seconds
        self._next = []
        self._flushing = False

    def commit(self):
        """To yield: until what was written is on the disk."""

        def ask(resume):
            self._next.append((resume, self._clock.now))
            if not self._flushing:
                self._flush()

        return ask

    def _flush(self):
        self._flushing = bool(self._next)
        if self._flushing:
            group, self._next = self._next, []
            self._clock.after(self._seconds, self._flushed, group, self._clock.now)

    def _flushed(self, group, began):
        self._flush()
        for resume, since in group:
            resume(began - since)
