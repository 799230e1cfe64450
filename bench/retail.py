"""The two files of the real wholesaler as the house counts them (docs/rules/orders.md), without a database."""

from __future__ import annotations

import polars as pl

from config.env import ROOT
from customers.rules.orders import kinds_of, line_money_points
from health.rules.forecast import History

DATA = ROOT.parent / "shared" / "data"
FILES = [DATA / f"online_retail_{years}.csv.gz" for years in ("2009-2010", "2010-2011")]


def retail() -> History:
    """Order days and the monthly rollup of the customers of both files, by their number.

    Lines without a customer are refused. An invoice that a later file brings again replaces the earlier one. The
    file's times are local ones, so the day is the day that it says.
    """
    lines = pl.concat(
        pl.read_csv(path, infer_schema=False).with_columns(file=pl.lit(number)) for number, path in enumerate(FILES)
    ).filter(pl.col("Customer ID").is_not_null())
    last = pl.col("file") == pl.col("file").max().over("Invoice")
    orders = (
        lines.filter(last)
        .with_columns(
            quantity=_points("Quantity", 4),
            unit_price=_points("Price", 6),
            day=pl.col("InvoiceDate").str.slice(0, 10).str.to_date(),
        )
        .with_columns(money=line_money_points())
        .group_by("Invoice")
        .agg(
            customer_id=pl.col("Customer ID").first().cast(pl.Float64).cast(pl.Int64),
            day=pl.col("day").min(),
            net=pl.col("money").sum().cast(pl.Int64),
        )
        .with_columns(kind=pl.lit(""))
        .with_columns(is_order=kinds_of() == "order")
    )
    days = orders.filter("is_order").select("customer_id", "day").unique().sort("customer_id", "day")
    months = (
        orders.group_by("customer_id", month=pl.col("day").dt.truncate("1mo"))
        .agg(
            orders=pl.col("is_order").sum().cast(pl.Int32),
            credit_notes=(~pl.col("is_order")).sum().cast(pl.Int32),
            net=pl.col("net").sum(),
        )
        .sort("customer_id", "month")
    )
    return History(days=days, months=months)


def _points(column: str, places: int) -> pl.Expr:
    """The whole number of 1/10**places that a column of decimal texts says."""
    return (pl.col(column).cast(pl.Decimal(30, places)) * 10**places).cast(pl.Int64)
