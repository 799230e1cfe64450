import csv
import gzip
import io
import json

import pytest
from django.core.management import CommandError, call_command

from customers.imports import run
from customers.models import Import
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS

TEXT = ORDERS + "A1,4711,2026-03-02,hammer,1,10\nA2,,2026-03-02,hammer,1,10\n"


@pytest.fixture
def command(cast, settings, tmp_path, capsys):
    settings.MEDIA_ROOT = tmp_path / "media"

    def run_command(content, *args, name="orders.csv", mapping=None):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        args = [str(path), "--tenant", "acme", "--kind", "orders", *args]
        if mapping is not None:
            (tmp_path / "mapping.json").write_text(mapping)
            args += ["--mapping", str(tmp_path / "mapping.json")]
        out = io.StringIO()
        try:
            call_command("import_file", *args, stdout=out)
        except CommandError as error:
            return json.loads(out.getvalue() or "null"), str(error)
        return json.loads(out.getvalue()), capsys.readouterr().err

    return run_command


def test_prints_one_json_object(command):
    result, progress = command(TEXT)
    assert {name: result[name] for name in ("rows", "failed", "created", "updated", "unchanged")} == {
        "rows": 2, "failed": 1, "created": 1, "updated": 0, "unchanged": 0,
    }  # fmt: skip
    assert result["seconds"] >= 0
    with open(result["outcome_file"], encoding="utf-8") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["created", "failed"]
    assert "done" in progress


def test_takes_the_columns_from_a_mapping(command):
    text = TEXT.replace("order,customer", "Beleg,Kunde")
    result, _err = command(text, mapping='{"order": "Beleg", "customer": "Kunde"}')
    assert result["created"] == 1


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ('{"order": "Nope"}', "The mapping names the column Nope, which the file does not have"),
        ("[]", "The mapping must be one JSON object"),
        ("{", "is no JSON"),
    ],
)
def test_refuses_a_mapping_that_does_not_fit(cast, command, tmp_path, mapping, reason):
    result, error = command(TEXT, mapping=mapping)
    assert result is None
    assert reason in error
    with tenant_scope(cast.tenant):
        assert not Import.objects.exists()
    assert not list((tmp_path / "media").glob("imports/*/*"))


def test_says_why_a_file_is_refused(command):
    lines = "".join(f"A1,4711,2026-03-02,hammer,1,10.{n}\n" for n in range(12_000))
    result, error = command(gzip.compress((ORDERS + lines).encode())[:-20], name="orders.csv.gz")
    assert (result["status"], result["created"]) == ("failed", 0)
    assert result["error"] == error
    assert error.startswith("The file breaks off")


def test_refuses_an_unknown_tenant_and_a_file_that_is_not_there(cast):
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        call_command("import_file", "x.csv", "--tenant", "nobody", "--kind", "orders")
    with pytest.raises(CommandError, match="There is no file"):
        call_command("import_file", "/nowhere/x.csv", "--tenant", "acme", "--kind", "orders")


def test_goes_on_with_the_import_that_was_killed(cast, command, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(run._Job, "_count", lambda *_args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            command(TEXT)
    result, progress = command(TEXT)
    assert (result["created"], result["status"]) == (1, "done")
    assert "which broke off" in progress
    with tenant_scope(cast.tenant):
        assert Import.objects.count() == 1


def test_tries_only(command):
    assert command(TEXT, "--dry-run")[0]["dry_run"] is True
    assert command(TEXT)[0]["created"] == 1
