"""The environments: each contender is installed into a folder of its own in `.bench/`, once for each text that pins it.

A file `peers/<peer>.txt` is for pip, a folder `peers/<peer>/` with a package.json for npm. Ruby's peer is taken as the
machine has it.
"""

import functools
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("postroom", "redis", "hiredis", "msgspec")
"""Those of Postroom's that take part."""
PEERS, INSTALLED = ROOT / "benchmarks/peers", ROOT / ".bench"


class Absent(Exception):
    """A peer cannot take part on this machine."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a peer is installed."""

    folder: Path
    """Its packages' folder."""
    programs: Path
    """The folder of its programs; those that are not there are the machine's."""
    versions: dict[str, str]

    def program(self, name: str) -> str:
        """The path of a program."""
        own = self.programs / name
        return str(own) if own.exists() else shutil.which(name) or name


@functools.cache
def environment(peer: str) -> Environment:
    """The environment of a peer, installed now if it is not yet.

    Raises:
        Absent: it cannot be installed, or what runs it is not on this machine.
    """
    if not peer:
        return Environment(Path(sys.prefix), Path(sys.executable).parent, {})
    if peer == "postroom":
        return _postroom()
    if peer == "sidekiq":
        return _sidekiq()
    if (PEERS / peer).is_dir():
        return _from_npm(peer)
    return _from_pip(peer)


def _postroom() -> Environment:
    """This tree with what its users get, as the peers have it: not what its development needs besides."""
    folder, pins = INSTALLED / "postroom", ROOT / "pyproject.toml"
    python = str(folder / "bin/python")

    def install() -> None:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", str(ROOT))

    _once(folder, f"{sys.version}\n{pins.read_text()}", install)
    listed = json.loads(_run(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"))
    found = {package["name"]: package["version"] for package in listed}
    versions = {"python": platform.python_version(), **{name: found[name] for name in PACKAGES}}
    return Environment(folder, folder / "bin", versions)


def _from_pip(peer: str) -> Environment:
    folder, pins = INSTALLED / peer, PEERS / f"{peer}.txt"
    pip = (str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")

    def install() -> None:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(*pip, "-r", str(pins))

    _once(folder, f"{sys.version}\n{pins.read_text()}", install)
    versions = dict(re.findall(r"^([\w-]+)\S*==(\S+)", pins.read_text(), re.MULTILINE))
    return Environment(folder, folder / "bin", versions)


def _from_npm(peer: str) -> Environment:
    folder, pins = INSTALLED / peer, PEERS / peer / "package.json"
    _need("node")
    _need("npm")

    def install() -> None:
        folder.mkdir(parents=True)
        shutil.copy(pins, folder)
        _run("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--no-package-lock")

    _once(folder, pins.read_text(), install)
    node = _run("node", "--version").strip().removeprefix("v")
    versions = {**json.loads(pins.read_text())["dependencies"], "node": node}
    return Environment(folder, folder / "node_modules/.bin", versions)


def _sidekiq() -> Environment:
    _need("ruby")
    try:
        found = _run("ruby", "-e", 'require "sidekiq"; puts Sidekiq::VERSION, Redis::VERSION, RUBY_VERSION').split()
    except Absent:
        raise Absent("ruby has no sidekiq (on Debian: apt-get install ruby-sidekiq)") from None
    return Environment(ROOT, ROOT, dict(zip(("sidekiq", "redis-rb", "ruby"), found, strict=True)))


def _once(folder: Path, text: str, install: Callable[[], None]) -> None:
    """Install into `folder`, unless it was done with the same pins."""
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == text:
        return
    print(f"installing {folder.relative_to(ROOT)} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    install()
    stamp.write_text(text)


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise Absent(f"there is no {program} on this machine")


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
