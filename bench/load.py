"""Bring a made-up wholesaler (bench.trade) into the database of DATABASE_URL: `python -m bench.load FOLDER --slug SLUG`.

By COPY as the owner of the tables, past the services: for measuring what stands on the facts, not how they came in
(bench.imports does that). Indexes of tables that were empty are made after the rows. Rows lie in the order in which
they would have come in over the years, the rollup's too: the worst case for who reads one customer.

With `--firms N` the same facts are shared out among N firms, as many customers to each: `SLUG-1` to `SLUG-N`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import psycopg2
from psycopg2 import errors

from bench.trade import LAST_DAY
from customers.rules.search import terms

ZONE: Final = "Asia/Shanghai"
PASSWORD: Final = "perennial-bench"  # noqa: S105  # of people who exist in a throw-away database only
SLICE: Final = 500_000
BORN: Final = pl.lit(dt.datetime(2023, 1, 1, tzinfo=dt.UTC))
SMALL_OWNERS: Final = 2  # account managers of each of many firms
SMALL_PRODUCTS: Final = 50

Rows = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Loaded:
    """What has been loaded: how many rows each table got, and in how many seconds."""

    slug: str
    rows: dict[str, int]
    seconds: float


def load(folder: Path, slug: str, *, pack: str = "starter", firms: int = 1) -> Loaded:
    """Load the facts as new firms, with members `am0` … @SLUG.example; a single one also has `lead`, `exec`, `admin`.

    What is worked out from facts as they come in (the rollup, what search looks through) is filled, too.
    """
    begun = time.perf_counter()
    made = _firms(slug, pack, json.loads((folder / "size.json").read_text()), firms)
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
        _unchecked(cursor)
        table = _Tables(cursor, folder, made)
        with _indexed_afterwards(cursor):
            rows = _fill(table)
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in rows:
                cursor.execute(f"VACUUM (ANALYZE) {name}")
    return Loaded(slug, rows, round(time.perf_counter() - begun, 1))


@dataclass(frozen=True)
class Firms:
    """Who the customers of a made-up trade belong to: the first `each` to the first firm, and so on."""

    tenants: pl.Series  # ids
    each: int  # customers
    products: int  # of each firm
    members: pl.Series  # ids of the account managers, `owners` of each firm, firm by firm

    @property
    def owners(self) -> int:
        return self.members.len() // self.tenants.len()

    def number(self) -> pl.Expr:
        """Which firm a row's customer belongs to, from 0."""
        return (pl.col("customer") - 1) // self.each

    def tenant(self) -> pl.Expr:
        return pl.lit(self.tenants).gather(self.number())

    def owner(self) -> pl.Expr:
        """The member who looks after a row's customer."""
        return pl.lit(self.members).gather(self.number() * self.owners + pl.col("owner") % self.owners)

    def product(self) -> pl.Expr:
        """The number of a row's article among those of all firms, from 1: each firm has its own."""
        return self.number() * self.products + (pl.col("product").cast(pl.Int64) - 1) % self.products + 1


def _fill(table: _Tables) -> dict[str, int]:
    customer, product, order = (
        table.base("customers_customer"),
        table.base("customers_product"),
        table.base("customers_order"),
    )
    contact, firms = table.base("customers_contact"), table.firms
    at, whose = pl.col("at").dt.replace_time_zone(ZONE), pl.col("customer") + customer
    return {
        "customers_customer": table.copy("customers", "customers_customer", lambda rows: rows.select(
            "tenant_id", id=whose, name="name", search_name=pl.col("name").str.to_lowercase(), country="country", city="city",
            industry="industry", since="since", note=pl.lit(""), created_at=BORN, updated_at=BORN, owner_a_id=firms.owner(),
            growth_potential=pl.lit(""), industry_position="position")),
        "customers_searchterm": table.copy("customers", "customers_searchterm", lambda rows: rows.select(
            "tenant_id", customer_id=whose, term=_terms()).explode("term").sort("term", "customer_id")),
        "customers_externalid": table.copy("customers", "customers_externalid", lambda rows: rows.select(
            "tenant_id", customer_id=whose, source=pl.lit("erp"), value=pl.concat_str(pl.lit("C"), pl.col("customer").cast(pl.String)))),
        "customers_contact": table.copy("customers", "customers_contact", lambda rows: rows.select(
            "tenant_id", id=pl.col("customer") + contact, customer_id=whose, source=pl.lit("erp"),
            external_id=pl.concat_str(pl.lit("P"), pl.col("customer").cast(pl.String)), name=pl.lit("Pat Example"),
            title=pl.lit("Buyer"), email=pl.concat_str(pl.lit("p"), pl.col("customer").cast(pl.String), pl.lit("@example.com")),
            phone=pl.lit(""), wechat=pl.lit(""), channel=pl.lit("phone"), language=pl.lit(""), consent=pl.lit("given"),
            is_main=pl.lit(value=True), created_at=BORN, updated_at=BORN)),
        "customers_product": table.copy_frame("customers_product", _articles(table, product)),
        "customers_order": table.copy("orders", "customers_order", lambda rows: rows.select(
            "tenant_id", id=pl.col("number").cast(pl.Int64) + order, customer_id=whose, source=pl.lit("erp"),
            external_id=pl.concat_str(pl.lit("SO"), pl.col("number").cast(pl.String).str.zfill(9)),
            kind=pl.when("is_credit").then(pl.lit("credit_note")).otherwise(pl.lit("order")), status=pl.lit("placed"),
            placed_at=at, placed_on="day", currency=pl.lit("CNY"), rate=pl.lit(10**8), net="points", due_on="due",
            paid_on="paid", digest=pl.col("number").cast(pl.String).str.zfill(32), created_at=at, updated_at=at)),
        "customers_orderline": table.copy("orders", "customers_orderline", lambda rows: rows.select(
            "tenant_id", order_id=pl.col("number").cast(pl.Int64) + order, position=pl.lit(1), product_id=firms.product() + product,
            quantity=pl.col("quantity").cast(pl.Int64) * 10_000, unit_price=pl.col("points").abs() * 100 // pl.col("quantity"),
            money="points")),
        "customers_activity": table.copy_frame("customers_activity", activity(table.folder).select(
            pl.exclude("customer"), customer_id=whose, tenant_id=firms.tenant())),
        "customers_interaction": table.copy("contacts", "customers_interaction", lambda rows: rows.select(
            "tenant_id", customer_id=whose, member_id=firms.owner(), source=pl.lit("crm"), external_id=pl.lit(""), at=at,
            channel=pl.lit("phone"), direction="direction", kind="kind", topic=pl.lit(""), answered="answered",
            about_competitor="competitor", note=pl.lit(""), created_at=at, updated_at=at)),
        "customers_complaint": table.copy("complaints", "customers_complaint", lambda rows: rows.select(
            "tenant_id", customer_id=whose, source=pl.lit("crm"), external_id=pl.lit(""), opened_at=at, topic="topic",
            severity=pl.lit("normal"), text=pl.lit(""), solved_at=pl.col("solved_at").dt.replace_time_zone(ZONE),
            first_time="first", created_at=at, updated_at=at)),
        "customers_surveyresponse": table.copy("answers", "customers_surveyresponse", lambda rows: rows.select(
            "tenant_id", customer_id=whose, source=pl.lit("crm"), external_id=pl.lit(""), kind="kind", score="score", at=at,
            text=pl.lit(""), created_at=at, updated_at=at)),
    }  # fmt: skip


def _terms() -> pl.Expr:
    """By which terms search finds a row's name."""
    return pl.col("name").map_elements(lambda name: sorted(terms(name)), return_dtype=pl.List(pl.String))


def _articles(table: _Tables, base: int) -> pl.DataFrame:
    """Every firm's articles: the first ones of the made-up trade, under the same numbers."""
    own = pl.read_parquet(table.folder / "products.parquet").head(table.firms.products)
    firms = pl.DataFrame({"tenant_id": table.firms.tenants}).with_row_index("firm")
    return firms.join(own, how="cross").select(
        "tenant_id",
        id=pl.col("firm").cast(pl.Int64) * table.firms.products + pl.col("product") + base,
        source=pl.lit("erp"),
        external_id=pl.concat_str(pl.lit("A"), pl.col("product").cast(pl.String)),
        name="name",
        category="category",
        created_at=BORN,
        updated_at=BORN,
    )


def activity(folder: Path) -> pl.DataFrame:
    """customer, month, orders, credit_notes, net and days: the monthly rollup, as each month's first order made it."""
    return (
        pl.scan_parquet(folder / "orders.parquet")
        .with_columns(month=pl.col("day").dt.truncate("1mo"), bit=pl.lit(2, pl.Int64) ** (pl.col("day").dt.day() - 1).cast(pl.Int64))
        .group_by("customer", "month")
        .agg(
            orders=(~pl.col("is_credit")).sum().cast(pl.Int32),
            credit_notes=pl.col("is_credit").sum().cast(pl.Int32),
            net=pl.col("points").sum(),
            days=pl.when(~pl.col("is_credit")).then("bit").otherwise(0).bitwise_or(),
            at=pl.col("at").min(),
        )
        .sort("at", "customer")
        .drop("at")
        .collect()
    )  # fmt: skip


class _Tables:
    """The tables, filled one after the other with the rows of all firms."""

    def __init__(self, cursor: Any, folder: Path, firms: Firms) -> None:
        self.cursor, self.folder, self.firms = cursor, folder, firms

    def base(self, table: str) -> int:
        """The highest number that the table has given; ours follow it."""
        self.cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
        return int(self.cursor.fetchone()[0])

    def copy(self, name: str, table: str, rows: Rows) -> int:
        """Fill the table with what `rows` makes of the facts of that name; returns how many facts there are.

        `rows` is given the facts with the column `tenant_id`, and keeps that.
        """
        source = self.folder / f"{name}.parquet"
        height = int(pl.scan_parquet(source).select(pl.len()).collect().item())
        for start in range(0, height, SLICE):
            facts = pl.scan_parquet(source).slice(start, SLICE).collect()
            self._write(table, rows(facts.with_columns(tenant_id=self.firms.tenant())))
        self._count_on(table)
        return height

    def copy_frame(self, table: str, frame: pl.DataFrame) -> int:
        """Fill the table with the frame's rows, which name their tenant; returns how many there are."""
        for start in range(0, frame.height, SLICE):
            self._write(table, frame.slice(start, SLICE))
        self._count_on(table)
        return frame.height

    def _count_on(self, table: str) -> None:
        """Let the table's numbers go on after ours."""
        self.cursor.execute("SELECT 1 FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'id'", [table])
        if self.cursor.fetchone() is None:
            return
        self.cursor.execute(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest((SELECT max(id) FROM " + table + "), 1))", [table]
        )

    def _write(self, table: str, frame: pl.DataFrame) -> None:
        text = io.BytesIO()
        frame.write_csv(text, include_header=False, null_value="\\N", quote_style="non_numeric", datetime_format="%+")
        text.seek(0)
        self.cursor.copy_expert(
            f"COPY {table} ({', '.join(frame.columns)}) FROM STDIN (FORMAT csv, NULL '\\N')", text, size=1 << 20
        )


def _unchecked(cursor: Any) -> None:
    """The facts fit together: no row is looked up again, if the role may say so; else each is."""
    cursor.execute("SAVEPOINT unchecked")
    try:
        cursor.execute("SET session_replication_role = replica")
    except errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT unchecked")


@contextmanager
def _indexed_afterwards(cursor: Any) -> Iterator[None]:
    """Take the indexes of the fact tables away while they are filled, but for the first firms only."""
    cursor.execute("SELECT NOT EXISTS (SELECT 1 FROM customers_order)")
    (is_empty,) = cursor.fetchone()
    found: list[tuple[str, str]] = []
    if is_empty:
        cursor.execute(
            """
            SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
            WHERE i.indrelid = ANY(ARRAY['customers_customer', 'customers_order', 'customers_orderline', 'customers_activity',
                'customers_interaction', 'customers_contact', 'customers_externalid']::regclass[])
            AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)
            """
        )
        found = cursor.fetchall()
        for name, _definition in found:
            cursor.execute(f"DROP INDEX {name}")
    yield
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # where rows are checked one by one, they are now
    for _name, definition in found:
        cursor.execute(definition)


def _firms(slug: str, pack: str, size: dict[str, int], count: int) -> Firms:
    """Make the firms and their members; `size` is that of the whole trade (bench.trade.Size)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import transaction

    from tenants.models import Tenant

    owners = size["members"] if count == 1 else SMALL_OWNERS
    products = size["products"] if count == 1 else min(size["products"], SMALL_PRODUCTS)
    slugs = [slug] if count == 1 else [f"{slug}-{n}" for n in range(1, count + 1)]
    with transaction.atomic():
        made = [_firm(each, pack, owners, has_leads=count == 1) for each in slugs]
        # Firms that have been here all the time: their first night is not before their orders.
        Tenant.objects.filter(slug__in=slugs).update(created_at=dt.datetime(2023, 1, 1, tzinfo=dt.UTC))
    return Firms(
        pl.Series([tenant_id for tenant_id, _members in made]),
        -(-size["customers"] // count),
        products,
        pl.Series([member for _tenant_id, members in made for member in members]),
    )


def _firm(slug: str, pack: str, owners: int, *, has_leads: bool) -> tuple[int, list[int]]:
    from tenants.context import tenant_scope
    from tenants.models import Member, Team, User
    from tenants.services import create_member, create_tenant

    tenant = create_tenant(slug=slug, name=slug.title(), pack=pack, timezone=ZONE, currency="CNY", country="CN")
    with tenant_scope(tenant):
        teams = Team.objects.bulk_create([Team(name=f"Team {number}") for number in range(max(1, owners // 10))])
        named: list[Member] = []
        if has_leads:
            for name, role in (
                ("lead", "team_lead"),
                ("exec", "executive"),
                ("admin", "admin"),
                ("am0", "account_manager"),
            ):
                named.append(create_member(email=f"{name}@{slug}.example", role=role, password=PASSWORD, team=teams[0]))
        first = named[-1:]
        users = User.objects.bulk_create(
            User(email=f"am{n}@{slug}.example", name=f"AM {n}", password="!")  # noqa: S106
            for n in range(len(first), owners)
        )
        others = Member.objects.bulk_create(
            [
                Member(user=user, role="account_manager", team=teams[n % len(teams)])
                for n, user in enumerate(users, start=len(first))
            ]
        )
    return tenant.pk, [member.pk for member in (*first, *others)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slug", required=True)
    parser.add_argument("--pack", default="starter")
    parser.add_argument("--firms", type=int, default=1)
    asked = parser.parse_args()
    found = load(asked.folder, asked.slug, pack=asked.pack, firms=asked.firms)
    json.dump(vars(found) | {"last_day": str(LAST_DAY)}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
