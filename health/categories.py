"""Articles that were put into another category: of whoever bought them the categories are counted again.

A category says something about facts that came in long ago, so no note of an arrival tells of it. The night compares
the articles with what the scores rest on, whoever changed them, and settles it when its scores are written: a night
that breaks off finds the same articles again.
"""

from __future__ import annotations

import datetime as dt

import polars as pl
from django.db import connection

from health.rules.policy import HealthPolicy
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.runs import Piece


def see_categories() -> bool:
    """Note the categories that there are; whether an article has another one than the scores rest on.

    A new article has none to differ from: a fact came in about whoever bought it.
    """
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE health_knowncategory k SET seen = p.category FROM customers_product p
            WHERE k.tenant_id = %s AND p.tenant_id = %s AND p.id = k.product_id AND k.seen <> p.category
            """,
            [tenant_id, tenant_id],
        )
        cursor.execute(
            """
            INSERT INTO health_knowncategory (tenant_id, product_id, category, seen)
            SELECT p.tenant_id, p.id, p.category, p.category FROM customers_product p
            WHERE p.tenant_id = %s AND NOT EXISTS (
                SELECT 1 FROM health_knowncategory k WHERE k.tenant_id = %s AND k.product_id = p.id)
            """,
            [tenant_id, tenant_id],
        )
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM health_knowncategory WHERE tenant_id = %s AND category <> seen)", [tenant_id]
        )
        (differs,) = cursor.fetchone()
    return bool(differs)


def settle_categories() -> None:
    """The scores rest on the categories that `see_categories` has noted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE health_knowncategory SET category = seen WHERE tenant_id = %s AND category <> seen",
            [current_tenant().pk],
        )


def regrouped_buyers(piece: Piece, rules: HealthPolicy) -> list[int]:
    """The ids of the part's customers who bought, in the days looked at, an article that has another category now."""
    tenant_id, days = current_tenant().pk, dt.timedelta(days=2 * rules.category_days)
    found = read_frame(
        f"""
        SELECT DISTINCT o.customer_id FROM health_knowncategory k
        JOIN customers_orderline l ON l.tenant_id = %s AND l.product_id = k.product_id
        JOIN customers_order o ON o.tenant_id = %s AND o.id = l.order_id
        WHERE k.tenant_id = %s AND k.category <> k.seen
          AND o.placed_on >= %s AND o.placed_on < %s AND {piece.part.sql("o.customer_id")}
        """,
        [tenant_id, tenant_id, tenant_id, piece.as_of - days, piece.as_of],
        schema={"customer_id": pl.Int64},
    )
    return found.get_column("customer_id").to_list()
