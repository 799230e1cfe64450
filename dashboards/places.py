"""The places of the house: what the side bar lists and what "find or jump" finds, for each only what it may open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from followups.notices.services import unread_by
from incentives.growth.certifying import waiting_for as certifications_waiting
from incentives.ledger.approving import waiting_for as rewards_waiting
from risk.alerts.people import waiting_for as alerts_waiting
from risk.complaints import services as complaints
from risk.incidents.reading import open_to as open_crises
from tenants.context import current_tenant
from tenants.kept import Kept
from tenants.models import Member
from tenants.permissions import Role

ASKED: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
"""In a kept query it stands for the moment in which somebody asks."""


@dataclass(frozen=True)
class Place:
    """A page that one goes to by its name.

    `url` is the name of its address (without arguments beside the tenant), `needs` the permission. `nav` is what pages
    call themselves (`TenantView.nav`) that belong under this link; without one it is no link of the side bar, but can
    be jumped to. `waits` are the rows that wait there for a member: their number stands beside the link.
    """

    url: str
    words: Any
    icon: str
    needs: str
    nav: str = ""
    waits: Callable[[Member], QuerySet[Any]] | None = None


@dataclass(frozen=True)
class Group:
    """Places under one head; the first group has none."""

    words: Any
    places: tuple[Place, ...]


GROUPS: Final = (
    Group(
        "",
        (
            Place("today", _("Today"), "list-check", "follow-ups:read", "today"),
            Place("calendar", _("Calendar"), "calendar-event", "follow-ups:read"),
            Place("notices", _("Notices"), "bell", "notices:read", "notices", unread_by),
            Place("notice-wishes", _("How I hear of notices"), "bell", "notices:read"),
            Place("today-close", _("Close the day"), "checks", "follow-ups:read"),
            Place("today-since", _("Since yesterday"), "bell", "follow-ups:read"),
            Place("bulks", _("Bulk actions"), "list-check", "follow-ups:read"),
            Place("calendar-feed", _("In your own calendar"), "calendar-event", "follow-ups:read"),
            Place("customers", _("Customers"), "building-store", "customers:read", "customers"),
            Place("customer-add", _("Add a customer"), "plus", "customers:write"),
        ),
    ),
    Group(
        _("In touch"),
        (
            Place("care", _("Care"), "cake", "follow-ups:read", "care"),
            Place("coverage", _("Coverage"), "checks", "follow-ups:read", "coverage"),
            Place("cover", _("Cover"), "arrows-exchange", "follow-ups:read", "cover"),
            Place("messages", _("Messages"), "mail", "messages:read", "messages"),
            Place("surveys", _("Surveys"), "clipboard-list", "surveys:read", "surveys"),
        ),
    ),
    Group(
        pgettext_lazy("places", "At risk"),
        (
            Place("alerts", _("Alerts"), "alert-triangle", "alerts:read", "alerts", lambda m: alerts_waiting(m, ASKED)),
            Place("risk", _("Risk overview"), "chart-dots", "alerts:read", "risk"),
            Place("crises", _("Crises"), "urgent", "incidents:read", "crises", waits=open_crises),
            Place("crisis-open", _("Open a crisis"), "urgent", "incidents:write"),
            Place("playbooks", _("Playbooks"), "playlist-add", "playbooks:read", "playbooks"),
            Place("complaints", _("Complaints"), "message", "complaints:read", "complaints", complaints.waiting_for),
            Place("complaint-figures", _("First-time resolution"), "message", "complaints:read"),
            Place("cases", _("Case library"), "notes", "cases:read", "cases"),
            Place("case-list", _("All cases"), "notes", "cases:read"),
            Place("win-backs", _("Win-back"), "arrow-back-up", "win-backs:read", "win-backs"),
            Place("win-back-rates", _("Return rate"), "arrow-back-up", "win-backs:read"),
        ),
    ),
    Group(
        pgettext_lazy("places", "Figures"),
        (
            Place("segments", _("Segments"), "chart-dots", "segments:read", "segments"),
            Place("segments-saved", _("Saved segments"), "users-group", "segments:read"),
            Place("segments-cross-sell", _("Cross-sell"), "package", "cross-sell:read"),
            Place("health", _("Health"), "activity-heartbeat", "scores:read", "health"),
            Place("health-forecast", _("Lapse forecast"), "trending-down", "forecasts:read"),
            Place("health-disagreement", _("Disagreement"), "activity-heartbeat", "scores:read"),
            Place("health-quality", _("Data quality"), "activity-heartbeat", "scores:read"),
            Place("health-back-test", _("Back-test"), "history", "back-tests:read"),
        ),
    ),
    Group(
        pgettext_lazy("places", "Team"),
        (
            Place("team", _("Team desk"), "layout-dashboard", "team:read", "team"),
            Place("team-customers", _("Give customers to others"), "arrows-exchange", "follow-ups:assign"),
            Place("executive", _("All teams"), "building", "programme:read", "executive"),
            Place("kpis", _("KPIs"), "chart-dots", "kpis:read", "kpis"),
            Place("kpi-people", _("What people are measured as"), "users", "kpis:write"),
            Place("goals", _("Goals"), "target-arrow", "goals:read", "goals"),
            Place("reports", _("Reports"), "clipboard-list", "reports:read", "reports"),
            Place("certifications", _("Growth"), "stairs-up", "certifications:read", "growth", certifications_waiting),
            Place("trainings", _("Trainings"), "stairs-up", "trainings:read"),
            Place("training-add", _("Plan a training"), "plus", "trainings:write"),
            Place("awards", _("Awards"), "award", "awards:read", "awards"),
            Place("referrals", _("Referrals"), "user-plus", "referrals:read", "referrals"),
            Place("referral-add", _("Record a referral"), "plus", "referrals:write"),
            Place("rewards", _("Rewards"), "coin", "rewards:read", "rewards", rewards_waiting),
            Place("rewards-approve", _("Rewards to approve"), "checks", "rewards:approve"),
            Place("payouts", _("Pay-outs"), "coin", "rewards:pay"),
            Place("statement", _("My statement"), "receipt", "rewards:read"),
            Place("upgrades", _("Service upgrades"), "stairs-up", "upgrades:read"),
            Place("quality", _("Quality review"), "checks", "quality-reviews:read", "quality"),
        ),
    ),
    Group(
        _("Rules"),
        (
            Place("policy", _("Policy"), "adjustments-horizontal", "policy:read", "policy"),
            Place("policy-versions", _("Policy versions"), "history", "policy:read"),
            Place("scripts", _("Scripts"), "message-2", "scripts:read", "scripts"),
            Place("journeys", _("Journeys"), "stairs-up", "journeys:read", "journeys"),
        ),
    ),
    Group(
        _("Administration"),
        (
            Place("imports", _("Imports"), "file-import", "imports:read", "imports"),
            Place("runs", _("Runs"), "history", "runs:read", "runs"),
            Place("members", _("Members"), "users", "members:read", "members"),
            Place("channels", _("Channels"), "settings", "channels:write", "channels"),
            Place("tokens", _("API tokens"), "key", "tokens:write", "tokens"),
        ),
    ),
)
"""In the order of the side bar."""

MOST_WAITING: Final = 99


class Link(NamedTuple):
    """A link of the side bar as it is printed."""

    address: str
    words: str
    icon: str
    nav: str
    waiting: str


def open_to(member: Member) -> Iterator[tuple[Group, list[Place]]]:
    """The groups in which the member may open something, with those places."""
    for group in GROUPS:
        if places := [place for place in group.places if member.can(place.needs)]:
            yield group, places


def address(place: Place, member: Member) -> str:
    """Where the place is for a member."""
    return reverse(place.url, kwargs={"tenant": member.tenant.slug})


class _Bar(NamedTuple):
    """What the side bars of a member have in common: its links, none with a number, and how the numbers are counted."""

    groups: list[tuple[str, list[tuple[str, Link]]]]  # by the heads, each link with its place's url
    counted: list[str]  # the urls of the places where something can wait, in the query's order
    sql: str
    params: list[Any]


BARS_KEPT: Final = 512
_bars: Final[Kept[Any, _Bar]] = Kept(BARS_KEPT)


def side_bar(member: Member) -> list[tuple[str, tuple[Link, ...]]]:
    """The side bar's groups by their heads, only with links. One query, however many places say what waits there.

    To put that query together takes five times as long as to ask it, so it is kept, by all that goes into one: who asks,
    as what, with whom in the team, in which tenant, on which day (`ASKED` apart), and in which language links are.
    """
    tenant = current_tenant()
    team = tuple(member.team_members) if member.role == Role.TEAM_LEAD else ()
    who = (tenant.pk, tenant.slug, member.pk, member.role, member.team_id, team)
    bar = _bars.get((*who, tenant.today(), translation.get_language()), lambda: _bar(member))
    waiting = _waiting(bar)
    return [
        (head, tuple(link._replace(waiting=_shown(waiting[url])) if waiting.get(url) else link for url, link in links))
        for head, links in bar.groups
    ]


def _bar(member: Member) -> _Bar:
    groups = [(group, [place for place in places if place.nav]) for group, places in open_to(member)]
    counts: dict[str, str] = {}
    given: list[Any] = []
    for place in (place for _group, places in groups for place in places):
        if place.waits is None:
            continue
        try:
            rows = place.waits(member).order_by().values("pk")[: MOST_WAITING + 1]
            sql, params = rows.query.sql_with_params()
        except EmptyResultSet:
            continue
        counts[place.url] = f"(SELECT count(*) FROM ({sql}) waiting)"
        given += params
    links = [
        (
            str(group.words),
            [
                (place.url, Link(address(place, member), str(place.words), place.icon, place.nav, ""))
                for place in places
            ],
        )
        for group, places in groups
        if places
    ]
    return _Bar(links, list(counts), f"SELECT {', '.join(counts.values())}", given)


def _waiting(bar: _Bar) -> dict[str, int]:
    """By the place's url, how many rows wait there; nobody counts further than MOST_WAITING and one."""
    if not bar.counted:
        return {}
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(bar.sql, [now if each == ASKED else each for each in bar.params])
        return dict(zip(bar.counted, cursor.fetchone(), strict=True))


def _shown(number: int) -> str:
    """The number as it stands beside a link: nothing for none, 99+ for more than are counted."""
    return f"{MOST_WAITING}+" if number > MOST_WAITING else str(number or "")


_KEPT: Final = "_side_bar"


def side_bar_of(request: HttpRequest) -> list[tuple[str, tuple[Link, ...]]]:
    """The side bar of the request's member, worked out once for a request."""
    kept = vars(request)
    if _KEPT not in kept:
        kept[_KEPT] = side_bar(kept["member"])
    found: list[tuple[str, tuple[Link, ...]]] = kept[_KEPT]
    return found


def waits_at(request: HttpRequest, nav: str) -> bool:
    """Whether something waits behind a link of the side bar, which has counted it already; no for one that is not there."""
    return any(link.waiting for _head, links in side_bar_of(request) for link in links if link.nav == nav)


def shell(request: HttpRequest) -> dict[str, Any]:
    """The side bar for every page's shell: lazy, for a fragment shows none."""
    member: Member | None = getattr(request, "member", None)
    return {} if member is None else {"side_bar": SimpleLazyObject(lambda: side_bar_of(request))}
