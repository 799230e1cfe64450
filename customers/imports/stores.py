"""Where an import keeps what it needs on the disk: the file, the spool, the outcome."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from customers.imports.outcome import Outcome


@dataclass(frozen=True)
class Store:
    """The folder of one import. Workers on several hosts need the folder of all imports in common."""

    folder: Path

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.folder / "outcome")

    @property
    def outcome_file(self) -> Path:
        return self.folder / "outcome.csv"

    def clear(self) -> None:
        """Forget what an earlier start has left; the delivered file stays."""
        shutil.rmtree(self.spool, ignore_errors=True)
        shutil.rmtree(self.outcome.folder, ignore_errors=True)
        self.outcome_file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything, the delivered file too."""
        shutil.rmtree(self.folder, ignore_errors=True)


def of(tenant_id: int, import_id: int) -> Store:
    """The store of an import. Ids, not names: a path is made of nothing that somebody typed."""
    return Store(Path(settings.MEDIA_ROOT) / "imports" / str(tenant_id) / str(import_id))
