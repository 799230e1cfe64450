"""Specification drift: the same articles, fewer of each at a time (docs/rules/cross-sell.md)."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from segmentation.rules.policy import CrossSellPolicy
from tenants.rules.columns import Schema, conform

SIZES: Final[Schema] = {
    "customer_id": pl.Int64,
    "product_id": pl.Int64,
    "before": pl.Float64,
    "now": pl.Float64,
    "money": pl.Int64,
}

STANDING: Final[Schema] = {"customer_id": pl.Int64, "since": pl.Date}

RATIO_PLACES: Final = 3


def ratios(sizes: pl.DataFrame) -> pl.DataFrame:
    """customer_id, ratio, products and shrunk: how a customer's order sizes now compare with before.

    `sizes` has a row per customer and article bought in both spans: its typical (median) quantity in a line
    before and now, above nothing, and the money that both spans brought. `ratio` is the mean of the articles'
    now ÷ before, taken on a ratio's own scale (geometric, so that half and double cancel out) and weighted by
    their money; articles that brought none weigh nothing, unless none brought any. `products` counts the
    articles, `shrunk` those whose quantity went down.

    Raises ValueError for a quantity that is not above nothing.
    """
    frame = conform(sizes, SIZES)
    if frame.select(((pl.col("before") <= 0) | (pl.col("now") <= 0)).any()).item():
        raise ValueError("Quantities must be above nothing")
    weight = pl.col("money").clip(lower_bound=0).cast(pl.Float64)
    even = weight.sum().over("customer_id") == 0
    weighed = frame.with_columns(
        weight=pl.when(even).then(pl.lit(1.0)).otherwise(weight), step=(pl.col("now") / pl.col("before")).log()
    )
    return (
        weighed.group_by("customer_id")
        .agg(
            ratio=((pl.col("step") * pl.col("weight")).sum() / pl.col("weight").sum()).exp().round(RATIO_PLACES),
            products=pl.len().cast(pl.Int64),
            shrunk=(pl.col("now") < pl.col("before")).sum().cast(pl.Int64),
        )
        .sort("customer_id")
    )


def drifting(compared: pl.DataFrame, standing: pl.DataFrame, policy: CrossSellPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id, ratio, products and since: whose order sizes have shrunk, as of a day.

    `compared` is what `ratios` returns, `standing` (customer_id, since) who was drifting until now.

    It begins when at least `drift_products` articles can be compared, the ratio is below `drift_percent` and
    more than half of the articles went down. It is over when the ratio is back halfway between that line and
    100 %, or too few articles can be compared: who hovers about the line is one occurrence, not many. Run
    again for the same day with its own result, it changes nothing.
    """
    frame = compared.join(conform(standing, STANDING).select(*STANDING), on="customer_id", how="left")
    percent = pl.col("ratio") * 100
    begins = (percent < policy.drift_percent) & (pl.col("shrunk") * 2 > pl.col("products"))
    stays = pl.col("since").is_not_null() & (percent < (policy.drift_percent + 100) / 2)
    return frame.filter((pl.col("products") >= policy.drift_products) & (begins | stays)).select(
        "customer_id", "ratio", "products", since=pl.col("since").fill_null(as_of)
    )
