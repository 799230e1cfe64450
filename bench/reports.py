"""Making the reports of a firm: `python -m bench.reports [--customers 100000] [--people 50]`.

Makes the firm of bench.team in a throw-away database, with everybody wishing for the digest, and makes the month's report
and the week's digest of the firm, the team and each person, as the bell does (dashboards/reports/issuing.py): reading the
figures, keeping the report, telling its readers. Then the file of the firm's month is drawn once for each language.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from bench import house, team
from bench.table import Row, machine, markdown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    asked = parser.parse_args()
    with house.house(None):
        rows = _measured(asked.customers, asked.people)
    for name, value in machine().items():
        print(f"- **{name}**: {value}")
    print(f"- **customers**: {asked.customers:,} of {asked.people} people\n")
    print(markdown(rows))


def _measured(customers: int, people: int) -> list[Row]:
    import django

    house.manage("migrate", "--verbosity", "0")
    django.setup()
    from tenants.context import tenant_scope

    tenant = team._make(customers, people)
    house.settle()
    with tenant_scope(tenant):
        return [*_made(), *_drawn()]


def _made() -> list[Row]:
    from dashboards.reports.facts import Sources, gather
    from followups.models import NoticeWish
    from incentives.reports import services as reports
    from incentives.rules.kpis import Period
    from incentives.rules.reports import KINDS, SPANS
    from tenants.context import current_tenant
    from tenants.models import Member

    NoticeWish.objects.bulk_create(
        NoticeWish(member=member, kind="report_weekly", mail="at_once", chat=False) for member in Member.objects.all()
    )
    found: list[Row] = []
    today = current_tenant().today()
    for kind in KINDS:
        period = Period.of(SPANS[kind], today).before
        sources, took = Sources(period, today), []
        for who, told in reports.readers(kind).items():
            began = time.perf_counter()
            reports.keep(kind=kind, period=period, who=who, facts=gather(kind, who, sources), told=told)
            took.append(time.perf_counter() - began)
        found.append(_row(kind, took))
    return found


def _row(kind: str, took: list[float]) -> Row:
    """The first one reads what all of them share."""
    return {
        "group": "reports", "what": kind, "reports": len(took), "first s": round(took[0], 2),
        "all s": round(sum(took), 2),
    }  # fmt: skip


def _drawn() -> list[Row]:
    from django.utils import translation

    from dashboards.reports.letters import pdf_of
    from dashboards.reports.papers import paper
    from incentives.models import Report

    facts: Any = Report.objects.filter(kind="monthly").first().facts
    found: list[Row] = []
    for language in ("en", "zh-hans"):
        with translation.override(language):
            began = time.perf_counter()
            content = pdf_of(paper(facts))
            took = round(time.perf_counter() - began, 2)
            found.append({"group": "reports", "what": f"PDF, {language}", "first s": took, "KB": len(content) // 1024})
    return found


if __name__ == "__main__":
    main()
