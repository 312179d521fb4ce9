"""What is asked for: a program with its input, as the service wants to be told of it."""

from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING, Any, Dict, Iterable, Mapping, Optional, Sequence, Union

if TYPE_CHECKING:
    from typing import TypedDict

Content = Union[str, bytes]


@dataclasses.dataclass
class File:
    """A file of a program, at a path relative to the program's folder."""

    path: str
    content: Content
    executable: bool = False

    def json(self) -> Dict[str, Any]:
        made: Dict[str, Any] = {"path": self.path, "content": self.content}
        if not isinstance(self.content, str):
            made.update(_content(f"the content of {self.path!r}", self.content))
        if self.executable:
            made["executable"] = True
        return made


Files = Union[Mapping[str, Content], Iterable[File]]
Limit = Union[str, int, float]


@dataclasses.dataclass
class Program:
    """A program with its input. Either `source` with `language`, or `files`; what is None is left to the service.

    source     the program, as one file
    language   a name or an alias; with `files` the entry's extension says it where this is None
    files      paths and contents as a mapping, or File objects
    entry      which file is run or compiled first; with `source`, what the file is called
    stdin      what the program reads, text or bytes
    args, env  its arguments and its environment
    limits     such as {"wall": "2s", "memory": "64M", "cpus": 0.5}; above the policy's maximum they are refused
    policy     one that `system()` names
    expected   what it should write: the outcome then has a `verdict`
    compare    `lenient` or `exact`
    screening  the rule set that looks through the source first, or `none`
    output     `plain` or `base64`
    artifacts  globs of files to keep, such as ["*.png", "out/**"]
    webhook    a URL that is told of the end
    labels     of the machine that runs it, such as {"region": "eu"}
    """

    source: Optional[str] = None
    language: Optional[str] = None
    files: Optional[Files] = None
    entry: Optional[str] = None
    stdin: Optional[Content] = None
    args: Optional[Sequence[str]] = None
    env: Optional[Mapping[str, str]] = None
    limits: Optional[Mapping[str, Limit]] = None
    policy: Optional[str] = None
    expected: Optional[Content] = None
    compare: Optional[str] = None
    screening: Optional[str] = None
    output: Optional[str] = None
    artifacts: Optional[Sequence[str]] = None
    webhook: Optional[str] = None
    labels: Optional[Mapping[str, str]] = None

    def json(self) -> Dict[str, Any]:
        """As the service takes it."""
        if (self.source is None) == (self.files is None):
            raise ValueError("give either source or files")
        if self.source is not None and not isinstance(self.source, str):
            raise TypeError(f"source must be text, not {type(self.source).__name__}; files may be bytes")
        made = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        if self.files is not None:
            made["files"] = _files(self.files)
        for name in ("stdin", "expected"):
            if made[name] is not None:
                made[name] = _content(name, made[name])
        for name in ("args", "artifacts"):
            if isinstance(made[name], (str, bytes)):
                raise TypeError(f"{name} must be several texts, not one")
            if made[name] is not None:
                made[name] = list(made[name])
        for name in ("env", "limits", "labels"):
            if made[name] is not None:
                made[name] = dict(made[name])
        return {name: value for name, value in made.items() if value is not None}


if TYPE_CHECKING:

    class Options(TypedDict, total=False):
        """What Program has besides `source` and `language`."""

        files: Optional[Files]
        entry: Optional[str]
        stdin: Optional[Content]
        args: Optional[Sequence[str]]
        env: Optional[Mapping[str, str]]
        limits: Optional[Mapping[str, Limit]]
        policy: Optional[str]
        expected: Optional[Content]
        compare: Optional[str]
        screening: Optional[str]
        output: Optional[str]
        artifacts: Optional[Sequence[str]]
        webhook: Optional[str]
        labels: Optional[Mapping[str, str]]


def program_of(what: Union[str, Program, None], language: Optional[str], options: Mapping[str, Any]) -> Program:
    """The program that the arguments of `run`, `submit` or `stream` describe."""
    if isinstance(what, Program):
        if language is not None or options:
            raise TypeError("a Program has its language and its options in it")
        return what
    return Program(what, language, **options)


def _files(files: Files) -> list:
    if isinstance(files, Mapping):
        return [File(path, content).json() for path, content in files.items()]
    return [each.json() for each in files]


def _content(name: str, content: Content) -> Any:
    if isinstance(content, str):
        return content
    if isinstance(content, (bytes, bytearray, memoryview)):
        return {"content": base64.b64encode(content).decode(), "encoding": "base64"}
    raise TypeError(f"{name} must be text or bytes, not {type(content).__name__}")
