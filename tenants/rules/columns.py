"""What a rule expects of a frame."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

Schema = Mapping[str, pl.DataType | type[pl.DataType]]


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame with the columns of `schema` in their types; columns beyond it stay as they are.

    An empty or all-null column has no type of its own, and databases answer in narrower integers than rules
    reckon in, so types are cast. Raises ValueError naming the missing columns, and polars' error when a value
    does not fit its type.
    """
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        raise ValueError(f"The frame has no {', '.join(missing)}; it has: {', '.join(frame.columns) or 'no columns'}")
    return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in schema.items())
