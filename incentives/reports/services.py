"""Reports: of whom there are any, for whom they are, keeping one that was made, and telling its readers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from followups.models import Notice, NoticeDelivery, NoticeWish
from followups.notices import services as notices
from followups.notices.kinds import Mail
from incentives.kpis.figures import Who
from incentives.models import Report
from incentives.rules.kpis import Period
from incentives.rules.reports import KINDS, SPANS, Kind
from tenants.events import record
from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role

NOTICES: Final[Mapping[Kind, str]] = {"monthly": "report_monthly", "weekly": "report_weekly"}
"""The kind of notice by which each is told."""


def about(kind: Kind, member: Member) -> Who | None:
    """Of whom a member's reports of a kind are: a lead's team, the firm for who leads it, else their own work.

    None: such a report is not for them; the month's is for who answers for others.
    """
    if member.role in SEES_ALL:
        return Who.tenant()
    if member.role == Role.TEAM_LEAD and member.team_id is not None:
        return Who.team(member.team_id)
    if kind == "weekly" and member.role in {Role.TEAM_LEAD, Role.ACCOUNT_MANAGER}:
        return Who.person(member)
    return None


def usual_mail(kind: Kind, member: Member) -> Mail | None:
    """How a member gets reports of a kind who has said nothing: leads both, executives the month's; others when they wish."""
    who = about(kind, member)
    if who is None or member.role == Role.INTEGRATION:
        return None
    if who.kind == "team" or (kind == "monthly" and member.role == Role.EXECUTIVE):
        return "at_once"
    return "never"


def readers(kind: Kind) -> dict[Who, list[Member]]:
    """Whom a report of a kind is made for, by of whom it is: who usually gets it, and who wishes to."""
    found: dict[Who, list[Member]] = defaultdict(list)
    members = list(Member.objects.filter(is_active=True).select_related("user", "tenant").order_by("pk"))
    wishes = notices.wish_by_mail(NOTICES[kind], members)
    for member in members:
        who, usual = about(kind, member), usual_mail(kind, member)
        if who is None or usual is None:
            continue
        if NoticeWish.Mail.AT_ONCE in (usual, wishes.get(member.pk)):
            found[who].append(member)
    return dict(found)


def who_of(report: Report) -> Who:
    """Of whom a report is."""
    if report.member_id is not None:
        return Who.person(report.member_id)
    return Who.tenant() if report.team_id is None else Who.team(report.team_id)


def period_of(report: Report) -> Period:
    return Period(SPANS[kind_of(report)], report.start)


def kind_of(report: Report) -> Kind:
    return next(kind for kind in KINDS if kind == report.kind)


def kept(kind: Kind, period: Period, who: Who) -> Report | None:
    """The report that was made of somebody for a period; None when none was."""
    rows = Report.objects.filter(kind=kind, start=period.start, **_whose(who))
    found: Report | None = rows.select_related("team", "member__user").first()
    return found


def _whose(who: Who) -> dict[str, Any]:
    return {
        "team_id": who.pk if who.kind == "team" else None,
        "member_id": who.pk if who.kind == "person" else None,
    }


@transaction.atomic
def keep(*, kind: Kind, period: Period, who: Who, facts: Mapping[str, Any], told: list[Member]) -> Report | None:
    """Keep a report and tell its readers, in one transaction; None when it was made before, and then nobody is told again.

    `facts` are JSON values as dashboards.reports.facts makes them, with "as_of" and "policy".
    """
    fields = {"kind": kind, "start": period.start, **_whose(who)}
    report, is_new = Report.objects.get_or_create(
        **fields, defaults={"as_of": facts["as_of"], "policy_version": facts["policy"], "facts": dict(facts)}
    )
    if not is_new:
        return None
    record("made", report, {"kind": kind, "period": period.code, "who": who.code})
    notices.notify(
        members=told,
        kind=NOTICES[kind],
        key=f"report-{report.pk}",
        params=notice_params(kind, period, who) | {"report": report.pk},
        url=f"reports/{report.pk}/",
    )
    row: Report = report
    return row


def notice_params(kind: Kind, period: Period, who: Who) -> dict[str, Any]:
    """What a notice's sentence and its mail need."""
    return {"kind": kind, "period": period.code, "who": who.code, "name": name_of(who)}


def name_of(who: Who) -> str:
    """Whose it is; "" for the firm, whose name in words depends on the reader."""
    if who.kind == "team":
        return str(Team.objects.get(pk=who.pk))
    return str(Member.objects.select_related("user").get(pk=who.pk)) if who.kind == "person" else ""


def send_to_me(*, member: Member, kind: Kind, period: Period, who: Who, report: Report | None, token: str) -> bool:
    """Send a report to who asks for it, by mail at once; whether it is on its way now.

    `token` names the page it was asked for on: asked for twice there, it is sent once. Without a `report` that was made
    it is what the period has come to when the mail is written.
    """
    place = f"reports/{report.pk}/" if report else f"reports/now/{kind}/?period={period.code}"
    params = notice_params(kind, period, who) | ({"report": report.pk} if report else {})
    return notices.send_now(member=member, kind=NOTICES[kind], key=f"report-me-{token}", params=params, url=place)


def deliveries(report: Report) -> list[NoticeDelivery]:
    """Who got the report by mail or chat, when, and what came of it."""
    told = Notice.objects.filter(kind=NOTICES[kind_of(report)], params__report=report.pk).values("pk")
    rows = NoticeDelivery.objects.filter(notice__in=told).select_related("member__user")
    return list(rows.order_by("member__user__name", "pk"))


def visible(member: Member) -> Any:
    """The reports that a member sees, the newest first."""
    return Report.objects.visible_to(member).select_related("team", "member__user")
