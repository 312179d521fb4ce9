"""clients/typescript/src/schema.ts, made from api/openapi.yaml.

`python3 tests/clients/schema.py` writes it anew, with what ./dev installed for the client; a test says when that is
needed.
"""

import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "clients/typescript/src/schema.ts"
TOOL = ROOT / "build/clients/typescript/node_modules/.bin/openapi-typescript"


def made():
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "schema.ts"
        # What has a default may be left away in a request.
        words = [TOOL, ROOT / "api/openapi.yaml", "-o", out, "--default-non-nullable=false"]
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return out.read_text()


if __name__ == "__main__":
    FILE.write_text(made())
