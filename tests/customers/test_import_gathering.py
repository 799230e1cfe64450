"""Orders whose lines name several customers: wherever the lines lie, the same as looking at the whole file at once."""

from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.imports import readers, run, service, spool
from customers.imports.checks import Firm, check
from customers.imports.merge_orders import of_one_mind
from customers.imports.rows import OUTCOME, Merged
from customers.imports.stages import STAGES
from customers.models import Customer, Import, Order
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS, counts

FIRM = Firm("Europe/London", "GBP", {})
NAMES = ("order", "customer", "placed_at", "product", "quantity", "unit_price", "currency", "rate")
STAGE = next(stage for stage in STAGES[Import.Kind.ORDERS] if stage.gathered)

lines = st.tuples(
    st.integers(0, 8).map("A{}".format),
    st.integers(0, 3).map("C{}".format),
    st.sampled_from(["", "GBP", "EUR", "USD"]),
    st.sampled_from(["", "1", "0.9"]),
)


def checked(found, first):
    """The lines as reading hands them on."""
    cells = [(order, who, "2026-03-02", "hammer", "1", "10", money, rate) for order, who, money, rate in found]
    columns = {name: pl.Series([row[at] for row in cells], dtype=pl.String) for at, name in enumerate(NAMES)}
    batch = readers.Batch(columns, pl.Series(range(first, first + len(cells)), dtype=pl.Int64))
    return check(Import.Kind.ORDERS, batch, {name: name for name in NAMES}, FIRM).good


def by_pieces(batches, folder):
    """What is merged, and what is refused, when the rows go over the disk."""
    job = run._Job(SimpleNamespace(pk=1), 1, "", lambda _row: None)
    job.spool, job.firm = spool.Spool(folder), FIRM
    job.spool.clear()
    homes = spool.Homes(folder / "homes")
    homes.clear()
    merged, refused = [pl.DataFrame()], [pl.DataFrame(schema=OUTCOME)]
    job._refuse = lambda _part, failed: refused.append(failed.with_columns(outcome=pl.lit("failed")))
    job._advance = lambda **_values: None

    def merge(rows, _work):
        merged.append(rows)
        return Merged(0, 0, 0, pl.DataFrame(schema=OUTCOME))

    stage = replace(STAGE, merge=merge)
    for rows in batches:
        placed = stage.split(rows)
        job.spool.add(stage.name, placed)
        homes.note(stage.records(placed), placed["bucket"])
    told = job._gather(stage, stage.gathered, homes)
    assert told == sum(failed.height for failed in refused)
    for piece in job.spool.finish([stage.name]):
        rows = job.spool.read(piece)
        refused.append(stage.merge_piece(rows, None, FIRM).lines)
    for rows in merged[1:]:  # all lines of an order are merged together
        orders = set(rows["order"])
        assert sum(frame.filter(pl.col("order").is_in(orders)).height for frame in merged[1:]) == rows.height
    return pl.concat(merged[1:]) if merged[1:] else None, pl.concat(refused)


@settings(deadline=None, max_examples=60)
@given(found=st.lists(lines, min_size=1, max_size=60), cut=st.integers(0, 60))
def test_refuses_the_same_lines_and_merges_the_same_as_if_all_were_looked_at_at_once(found, cut, tmp_path_factory):
    rows = pl.concat([checked(found[:cut], 2), checked(found[cut:], 2 + len(found[:cut]))])
    good, failed = of_one_mind(rows, FIRM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "PIECE", 10)
        patch.setattr(spool, "_FEW", 5)
        patch.setattr(spool, "_HELD", 2)
        batches = [rows.slice(0, cut), rows.slice(cut)]
        merged, refused = by_pieces([batch for batch in batches if batch.height], tmp_path_factory.mktemp("spool"))
    assert refused.sort("line").equals(failed.select(*OUTCOME).sort("line"))
    assert good.is_empty() == (merged is None)
    if merged is not None:
        assert merged.sort("line").equals(good.sort("line"))


def test_does_not_touch_what_lies_together_already(cast, deliver, monkeypatch):
    """The rule: an order has one customer. To look for the exception must not cost a second way over the disk."""
    monkeypatch.setattr(spool.Spool, "take_out", None)
    text = ORDERS + "".join(f"A{n % 50},{n % 50 % 9},2026-03-02,p{n % 7},1,{n}\n" for n in range(300))
    assert counts(deliver(text)) == (300, 0, 50, 0, 0)


def test_refuses_lines_of_other_customers_wherever_they_stand(cast, deliver, monkeypatch, why):
    monkeypatch.setattr(spool, "PIECE", 40)
    good = "".join(f"A{n % 90},{n % 90 % 17},2026-03-02,p{n % 3},1,{n}\n" for n in range(360))
    wrong = "".join(f"A{n},{n % 17 + 20},2026-03-02,p1,1,1\n" for n in range(0, 90, 10))
    row = deliver(ORDERS + good + wrong)
    assert counts(row) == (369, 9, 90, 0, 0)
    assert [line for line, *_rest in why(row)] == list(range(362, 371))
    with tenant_scope(cast.tenant):
        assert (Order.objects.count(), Customer.objects.count()) == (90, 17)  # who is named there alone is not made
    assert len(service.outcome_page(row, limit=1000)) == 369
