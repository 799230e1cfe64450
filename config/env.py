"""Settings from the environment: strict booleans, secrets also from files, one folder for all state."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """The variable NAME, or the content of the file that NAME_FILE names (as container secrets arrive)."""
    if file := os.environ.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ.get(name, default)


def flag(name: str, *, default: bool) -> bool:
    """A boolean; anything but a clear yes or no is refused, because `DEBUG=ture` must not mean True.

    Raises ValueError naming the variable and what it may be.
    """
    value = text(name).strip().lower()
    if not value:
        return default
    if value in _TRUE | _FALSE:
        return value in _TRUE
    raise ValueError(f"{name}={value!r} is not a yes or a no: use 1 or 0")


def number(name: str, default: int) -> int:
    """A setting that is a whole number above 0. Raises ValueError naming it."""
    value = text(name)
    if not value:
        return default
    if not value.isdigit() or int(value) < 1:
        raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def state_folder() -> Path:
    """Where all state of an installation lives: PERENNIAL_VAR, or var/ beside manage.py."""
    return Path(os.environ.get("PERENNIAL_VAR") or ROOT / "var").resolve()


def generated_secret(name: str) -> str:
    """A secret made once per installation and kept in the state folder, readable by its owner alone."""
    folder = state_folder() / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        # Written beside and linked into place: of processes that start at once one wins, whole, and all read it.
        handle, draft = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text(encoding="utf-8")
