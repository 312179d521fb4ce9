"""pysandbox's client: code is checked, compiled here, and run as bytecode in a cell that is kept for it.

    from belljar import pysandbox

    with pysandbox.Client() as client:
        print(client.run_cmd("print(2 + 2)"))  # {'result': {'out': '4\\n', 'err': ''}}

`python3 -m belljar.pysandbox` is its prompt.
"""

from __future__ import annotations

import argparse
import ast
import atexit
import os
import sys
import threading
import time
from typing import Any, Dict, Optional

from .client import Client as Service
from .errors import BelljarError, Problem
from .session import Session, _is_forgotten

FILE_NAME = "<pysandbox>"


class Insecure(Exception):
    """What the Purifier does not let through: `construct`, a node of the syntax tree, at `line` and `column`."""

    def __init__(self, construct: str, line: int, column: int) -> None:
        super().__init__(f"{construct} found in line {line}:{column}")
        self.construct = construct
        self.line = line
        self.column = column

    def __reduce__(self) -> Any:
        return Insecure, (self.construct, self.line, self.column)


class OtherVersion(BelljarError):
    """The cell has another version of CPython than this program, and bytecode is of one version."""


class Purifier(ast.NodeVisitor):
    """Raises Insecure for what is to be seen without running it: imports, and attributes of constants."""

    def visit_Import(self, node: ast.Import) -> None:
        raise Insecure("Import", node.lineno, node.col_offset)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        raise Insecure("ImportFrom", node.lineno, node.col_offset)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Constant):
            raise Insecure("Attribute", node.lineno, node.col_offset)
        self.generic_visit(node)


class Client:
    """Runs code in cells, each kept under an id of the caller's choice until it is quit, and paused between uses.

    Takes what belljar.Client takes. A cell is a session under the policy `policy`: its own is NameKeeper's.
    """

    def __init__(self, *where: Any, policy: str = "pysandbox", **how: Any) -> None:
        self._service = Service(*where, **how)
        self._policy = policy
        self._purifier = Purifier()
        self._lock = threading.Lock()
        self._instances: Dict[Any, Session] = {}
        atexit.register(self.quit)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.quit()
        atexit.unregister(self.quit)

    def run_cmd(self, code: str, idx: Any = 0) -> Dict[str, Any]:
        """Runs code in the cell `idx`, which is begun where there is none.

        {"result": {"out", "err"}} when it ran to its end, {"result": "FAIL"} when it did not, and with "msg", an
        Insecure, when the Purifier refused it. A text that is not Python is a SyntaxError.
        """
        tree = ast.parse(code)
        try:
            self._purifier.visit(tree)
        except Insecure as insecure:
            return {"result": "FAIL", "msg": insecure}
        bytecode = compile(tree, FILE_NAME, "exec")
        session, is_new = self._instance(idx)
        try:
            made = session.execute(bytecode)
        except Problem as problem:
            # It was refused before it was taken: the cell has ended since, after its time or by itself.
            if is_new or problem.status not in (404, 409):
                raise
            self._forget(idx, session)
            session, _ = self._instance(idx)
            made = session.execute(bytecode)
        if made.status == "ended":
            self._forget(idx, session)
        if made.status != "ok":
            return {"result": "FAIL"}
        return {"result": {"out": made.stdout.text, "err": made.stderr.text}}

    def _instance(self, idx: Any) -> "tuple[Session, bool]":
        with self._lock:
            found = self._instances.get(idx)
            if found is not None:
                return found, False
            session = self._service.session("python", policy=self._policy)
            theirs, ours = session.info.version or "", sys.version_info[:2]
            if sys.implementation.name != "cpython" or not theirs.startswith(f"{ours[0]}.{ours[1]}."):
                session.quit()
                raise OtherVersion(
                    f"the cell has CPython {theirs}, this is {sys.implementation.name} {ours[0]}.{ours[1]}: "
                    "bytecode is of one version"
                )
            self._instances[idx] = session
            return session, True

    def _forget(self, idx: Any, session: Session) -> None:
        with self._lock:
            if self._instances.get(idx) is session:
                del self._instances[idx]

    def quit(self) -> None:
        """Ends every cell."""
        for idx in list(self._instances):
            self.quit_single(idx)

    def quit_single(self, idx: Any) -> None:
        """Ends one cell; of an id that has none, a KeyError."""
        with self._lock:
            session = self._instances.pop(idx)
        try:
            session.quit()
        except Problem as problem:
            if not _is_forgotten(problem):
                raise


def main(words: Optional[list] = None) -> None:
    """The prompt: shows the answer to each line, and how long it took."""
    usual = os.environ.get("BELLJAR_URL", "http://127.0.0.1:8000")
    options = argparse.ArgumentParser(prog="belljar.pysandbox", description="pysandbox's prompt; !q ends it.")
    options.add_argument("--url", default=usual, help="the service, BELLJAR_URL or %(default)s by default")
    options.add_argument("--key", default=os.environ.get("BELLJAR_KEY"), help="its key, where it asks for one")
    given = options.parse_args(words)
    with Client(given.url, given.key) as client:
        command = "print('hello world')"
        while command != "!q":
            since = time.time()
            try:
                answer: object = client.run_cmd(command)
            except SyntaxError as error:
                answer = error
            print(answer, f"{time.time() - since} seconds")
            try:
                command = input("cmd> ")
            except EOFError:
                print()
                break


if __name__ == "__main__":
    main()
