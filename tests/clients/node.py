"""Programs that use the TypeScript client, as ./dev built it, compiled and run by node."""

import json
import os
import pathlib
import shutil
import subprocess

from support.command import ROOT

SOURCE = ROOT / "clients/typescript"
SCENARIOS = SOURCE / "tests/scenarios.ts"
BUILT = ROOT / "build/clients/typescript"
# Of the packages of web/, which ./dev installs before anything is built.
BIOME = pathlib.Path(os.environ.get("BELLJAR_BUILD", ROOT / "build/release")).parent / "web/node_modules/.bin/biome"


def run(*words, cwd, timeout=120):
    """What a command says; it must succeed."""
    done = subprocess.run([str(word) for word in words], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def package(folder):
    """A package in the folder that has the client installed."""
    options = json.loads((SOURCE / "tsconfig.json").read_text())["compilerOptions"]
    for name in ("rootDir", "outDir", "declaration"):
        del options[name]
    options.update(types=["node"], typeRoots=[str(BUILT / "node_modules/@types")])
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))
    (folder / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
    installed = folder / "node_modules/@belljar/client"
    installed.mkdir(parents=True)
    # Only what would be published.
    shutil.copy(SOURCE / "package.json", installed)
    (installed / "dist").symlink_to(BUILT / "dist")
    return folder


def compile_all(folder):
    """Its programs, checked and made into JavaScript beside them."""
    run(BUILT / "node_modules/.bin/tsc", "--project", ".", cwd=folder)


class Play:
    """The scenarios, compiled in a folder; called, it plays one to its end."""

    def __init__(self, folder):
        self.folder = package(folder)
        shutil.copy(SCENARIOS, folder)
        compile_all(folder)

    def __call__(self, name, *words):
        run("node", SCENARIOS.with_suffix(".js").name, name, *words, cwd=self.folder, timeout=60)
