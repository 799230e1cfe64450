"""The real wholesaler, imported once by the real command into a database of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connections

from config.env import ROOT
from config.night import run_night
from tenants.models import Run, Tenant
from tenants.services import create_tenant
from tests.databases import copied

DATA = ROOT.parent / "shared" / "data"
FILES = [DATA / f"online_retail_{years}.csv.gz" for years in ("2009-2010", "2010-2011")]
DAY = dt.date(2011, 12, 10)
MAPPING = {
    "order": "Invoice", "customer": "Customer ID", "placed_at": "InvoiceDate", "product": "StockCode",
    "quantity": "Quantity", "unit_price": "Price", "product_name": "Description", "country": "Country",
}  # fmt: skip


@dataclass
class Retail:
    """The firm, what the command printed for each file, and the most memory (MB) that it took.

    The first import was killed with signal 9 while it wrote, and started again.
    """

    tenant: Tenant
    folder: Path
    results: list[dict[str, Any]] = field(default_factory=list)
    megabytes: float = 0

    def import_file(self, path: Path, *, kill_after_pieces: int = 0) -> dict[str, Any]:
        """Run the command; `kill_after_pieces`: kill it after so many, and start it once more."""
        mapping = self.folder / "mapping.json"
        mapping.write_text(json.dumps(MAPPING), encoding="utf-8")
        command = [sys.executable, "manage.py", "import_file", path, "--tenant", self.tenant.slug, "--kind", "orders",
                   "--mapping", mapping]  # fmt: skip
        # The answer goes to a file: nobody has to read two pipes at a time.
        answer = self.folder / "answer.json"
        with (
            answer.open("wb") as out,
            subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdout=out, stderr=subprocess.PIPE, text=True
            ) as process,
        ):
            said, pieces = [], 0
            for line in process.stderr or []:
                said.append(line)
                pieces += "writing" in line
                if kill_after_pieces and pieces > kill_after_pieces:
                    process.kill()
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.megabytes = max(self.megabytes, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
        if kill_after_pieces:
            assert process.returncode == -9, "".join(said)
            return self.import_file(path)
        assert process.returncode == 0, "".join(said)
        return json.loads(answer.read_text(encoding="utf-8"))

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": _url("owner"),
            "DATABASE_APP_URL": _url("default"),
            "PERENNIAL_VAR": str(self.folder),
        }


def _url(alias: str) -> str:
    said = connections[alias].settings_dict
    user = quote(said["USER"]) + (f":{quote(said['PASSWORD'])}" if said["PASSWORD"] else "")
    return f"postgresql://{user}@{said['HOST']}:{said['PORT']}/{said['NAME']}"


@pytest.fixture(scope="package")
def retail(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retail]:
    """Both files, imported once for all tests of this folder. Tests may write: they are rolled back as ever."""
    if missing := [path.name for path in FILES if not path.exists()]:
        pytest.skip(f"The real data is not there: {', '.join(missing)} in {DATA}")
    # A database beside the test database, so that what is written needs no rolling back and is gone in an instant.
    name = f"{connections['owner'].settings_dict['NAME']}_real"
    with django_db_blocker.unblock(), copied(name):
        tenant = create_tenant(
            slug="retail", name="Online Retail", pack="callback", timezone="Europe/London", currency="GBP", country="GB"
        )
        firm = Retail(tenant, tmp_path_factory.mktemp("retail"))
        firm.results = [firm.import_file(FILES[0], kill_after_pieces=4), firm.import_file(FILES[1])]
        yield firm


@pytest.fixture(scope="package")
def night_of_retail(retail: Retail) -> Run:
    """Its night of DAY, run once for all tests that look at what came of it."""
    return run_night(retail.tenant, DAY)


@pytest.fixture
def retail_night(night_of_retail: Run, db: None) -> Run:
    """The night of DAY is over."""
    return night_of_retail


@pytest.fixture
def retail_tenant(retail: Retail, db: None) -> Tenant:
    """The wholesaler with both files in."""
    return retail.tenant
