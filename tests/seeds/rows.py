"""Reads the rows and holds an answer against one. A misspelt key is an error, not an absence."""

import pathlib
import re
import tomllib

FOLDER = pathlib.Path(__file__).resolve().parent
DIALECTS = {
    "secure_sandbox": ("/execute", {"stdout", "stderr", "returncode", "execution_time"}),
    "safe_code_executor": ("/run", {"status", "output", "error"}),
}
WANTED = {"status": int, "answer": dict, "match": dict, "lacks": dict, "headers": dict, "limits": dict}
KEYS = {
    **WANTED,
    "name": str,
    "says": str,
    "method": str,
    "path": str,
    "code": str,
    "input": str,
    "json": dict,
    "body": str,
    "env": dict,
    "otherwise": dict,
}


class Row:
    def __init__(self, dialect, table):
        for name, kinds in (("row", KEYS), ("otherwise", WANTED)):
            part = table if name == "row" else table.get("otherwise", {})
            for key, value in part.items():
                assert isinstance(value, kinds[key]), f"{table['name']}: {name}: {key}"
        assert sum(key in table for key in ("code", "json", "body")) <= 1, table["name"]
        assert ("env" in table) == ("otherwise" in table), table["name"]
        self.dialect = dialect
        self.name = table["name"]
        self.says = table["says"]
        self.table = table
        self.path, self.members = DIALECTS[dialect]

    def __str__(self):
        return f"{self.dialect}:{self.name}"

    def send(self, service):
        table = self.table
        if "code" in table:
            body = {"code": table["code"]}
            if "input" in table:
                body["input"] = table["input"]
        else:
            body = table.get("json", table.get("body"))
        headers = {"Content-Type": "application/json"}
        return service.call(table.get("method", "POST"), table.get("path", self.path), body, headers)

    def check(self, service, answer, wanted):
        """Whether the answer is what `wanted`, this row or its other half, says."""
        assert answer.status == wanted.get("status", 200), answer
        if answer.status == 200 and isinstance(answer.json, dict):
            assert set(answer.json) == self.members, answer
        for key, value in wanted.get("answer", {}).items():
            assert answer.json[key] == value, answer
        for key, pattern in wanted.get("match", {}).items():
            assert re.search(pattern, answer.json[key]), answer
        for key, text in wanted.get("lacks", {}).items():
            assert text not in answer.json[key], answer
        for key, pattern in wanted.get("headers", {}).items():
            assert re.fullmatch(pattern, answer.headers[key]), answer
        if "limits" in wanted:
            # What the cell was held to, as the history tells of the last run.
            last = service.call("GET", "/v1/runs?limit=1").json["runs"][0]["id"]
            run = service.call("GET", f"/v1/runs/{last}").json
            limits = run["outcome"]["stages"][-1]["limits"]
            assert {key: limits[key] for key in wanted["limits"]} == wanted["limits"]


def load():
    rows = []
    for dialect in DIALECTS:
        tables = tomllib.loads((FOLDER / f"{dialect}.toml").read_text())
        assert set(tables) == {"row"}, dialect
        rows += [Row(dialect, table) for table in tables["row"]]
    names = [str(row) for row in rows]
    assert len(set(names)) == len(names), "two rows have one name"
    return rows
