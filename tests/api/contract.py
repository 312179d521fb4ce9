"""api/openapi.yaml, read so that requests and answers can be held against it."""

import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "api" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

# Of every path; described once, in the contract's introduction.
EVERYWHERE = {400, 404, 405, 408, 431}


def escape(text):
    return text.replace("~", "~0").replace("/", "~1")


def walk(value, place="#"):
    """Every object and array of a document, with its JSON pointer."""
    yield place, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from walk(each, f"{place}/{escape(str(name))}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from walk(each, f"{place}/{index}")



def close_objects(value):
    """An object that lists its properties has no others, unless it says so itself."""
    for _, each in walk(value):
        if isinstance(each, dict) and isinstance(each.get("properties"), dict):
            if each.get("type") == "object":
                each.setdefault("additionalProperties", False)
    return value


class Contract:
    def __init__(self, text):
        self.text = text
        self.document = yaml.safe_load(text)
        # Answers are checked more strictly than clients should: what is not described is an error.
        self.strict = close_objects(yaml.safe_load(text))
        self.seen = set()  # (method, path, status) of answers that were checked

    def resolve(self, reference, document=None):
        assert reference.startswith("#/"), reference
        value = self.document if document is None else document
        for part in reference[2:].split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]
        return value

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def find(self, method, path):
        """The path's pattern, and its operation if there is one."""
        best = None
        for pattern, item in self.document["paths"].items():
            expression = "".join(
                re.escape(part) if not part.startswith("{") else
                (".+" if part == "{path}" else "[^/]+")
                for part in re.split(r"(\{\w+\})", pattern)
            )  # fmt: skip
            if re.fullmatch(expression, path):
                # What is said word by word comes before what is not.
                if best is None or pattern.count("{") < best[0].count("{"):
                    best = pattern, item.get(method.lower())
        return best or (None, None)

    def validator(self, schema):
        return jsonschema.Draft202012Validator(
            schema, resolver=jsonschema.RefResolver("", self.strict)
        )

    def check(self, schema, value):
        errors = list(self.validator(schema).iter_errors(value))
        if errors:
            error = jsonschema.exceptions.best_match(errors)
            raise AssertionError(f"{error.json_path}: {error.message}\nin {json.dumps(value)[:2000]}")

    def check_schema(self, name, value):
        self.check({"$ref": f"#/components/schemas/{name}"}, value)

    def accepts(self, name, value):
        return self.validator({"$ref": f"#/components/schemas/{name}"}).is_valid(value)

    def check_answer(self, method, target, answer):
        path = urllib.parse.unquote(urllib.parse.urlsplit(target).path)
        pattern, operation = self.find("get" if method == "HEAD" else method, path)
        if answer.type == "application/problem+json":
            self.check_schema("Problem", answer.json)
            assert answer.json["status"] == answer.status, answer
        if operation is None or (answer.status in EVERYWHERE and
                                 str(answer.status) not in operation["responses"]):
            assert answer.status in EVERYWHERE | {204, 413}, answer
            return
        self.seen.add((method, pattern, answer.status))
        assert str(answer.status) in operation["responses"], f"{method} {pattern}: {answer}"
        response = operation["responses"][str(answer.status)]
        if "$ref" in response:
            response = self.resolve(response["$ref"])
        for name, header in response.get("headers", {}).items():
            if "$ref" in header:
                header = self.resolve(header["$ref"])
            if name in answer.headers:
                self.check(header.get("schema", {}), answer.headers[name])
        if method == "HEAD":
            assert answer.body == b""
            return
        assert answer.type in response["content"], f"{method} {pattern}: {answer}"
        media = response["content"][answer.type]
        if answer.type.endswith("json"):
            self.check(media["schema"], answer.json)


CONTRACT = Contract(FILE.read_text())
