"""It: reports are made once, kept unchanged, and sent once by real mail, in each reader's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from dashboards.reports import letters
from dashboards.reports.issuing import due, issue_due
from dashboards.reports.papers import paper
from followups.models import Notice, NoticeDelivery, NoticeWish
from followups.notices import sending, services
from followups.notices.unsubscribing import unsubscribe_url
from incentives.kpis.figures import Who
from incentives.models import Report
from incentives.reports import services as reports
from incentives.rules.kpis import Period
from tenants.context import tenant_scope
from tenants.models import Event, Member, Team, Tenant, User
from tests.conftest import Cast
from tests.followups.post import Post, post_office

DUE = dt.datetime(2026, 11, 9, 9, tzinfo=dt.UTC)
"""The sixth working day of November, a Monday: the month's report and the week's digest are due."""
NO_PANGO = "could not be made here"


@pytest.fixture
def firm(cast: Cast, time_machine: Any) -> Cast:
    """acme, a year old, at the moment at which both reports are due; Lea reads Chinese."""
    time_machine.move_to(DUE, tick=False)
    Tenant.objects.filter(pk=cast.tenant.pk).update(created_at=DUE - dt.timedelta(days=365))
    cast.tenant.refresh_from_db()
    User.objects.filter(pk=cast.lea.user_id).update(language="zh-hans")
    cast.lea.user.refresh_from_db()
    return cast


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    with post_office() as post:
        settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", post.port, False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.PUBLIC_URL = "https://perennial.example"
        yield post


def made(cast: Cast) -> list[tuple[str, str, str]]:
    with tenant_scope(cast.tenant):
        return [(row.kind, str(row.start), reports.who_of(row).kind) for row in Report.objects.order_by("pk")]


def states(cast: Cast) -> dict[tuple[str, str], str]:
    with tenant_scope(cast.tenant):
        rows = NoticeDelivery.objects.select_related("notice", "member__user")
        return {(row.member.user.name, row.notice.kind): row.status for row in rows}


def test_it_makes_each_report_once_for_its_readers(firm: Cast) -> None:
    assert [(slot.kind, slot.period.code) for slot in due(firm.tenant, DUE)] == [
        ("monthly", "2026-10"),
        ("weekly", "2026-W45"),
    ]
    # Lea's team twice, the firm once for Eve: nobody else has asked for anything.
    assert issue_due(firm.tenant) == 3
    assert issue_due(firm.tenant) == 0
    assert sorted(made(firm)) == [
        ("monthly", "2026-10-01", "team"),
        ("monthly", "2026-10-01", "tenant"),
        ("weekly", "2026-11-02", "team"),
    ]
    assert states(firm) == {
        ("Eve", "report_monthly"): "queued",
        ("Lea", "report_monthly"): "queued",
        ("Lea", "report_weekly"): "queued",
    }
    with tenant_scope(firm.tenant):
        assert Event.objects.filter(object_type="report", verb="made").count() == 3
        assert services.unread_count(firm.lea) == 2
        # Whoever asks for it later that day gets it, of what is theirs; the others nothing more.
        services.wish(member=firm.ann, wanted={"report_weekly": ("at_once", False)})
        services.wish(member=firm.ada, wanted={"report_weekly": ("at_once", False)})
        assert [wish.kind.code for wish in services.wishes_of(firm.ann) if "report" in wish.kind.code] == [
            "report_weekly"
        ]
        with pytest.raises(ValidationError):
            services.wish(member=firm.ann, wanted={"report_monthly": ("at_once", False)})
        with pytest.raises(ValidationError):
            services.wish(member=firm.ann, wanted={"report_weekly": ("daily", False)})
    assert issue_due(firm.tenant) == 2
    assert made(firm)[3:] == [("weekly", "2026-11-02", "person"), ("weekly", "2026-11-02", "tenant")]
    assert len(states(firm)) == 5


def test_it_keeps_what_was_said_and_shows_it_to_whom_it_is_about(firm: Cast) -> None:
    issue_due(firm.tenant)
    with tenant_scope(firm.tenant):
        north = Team.objects.create(name="North")
        Member.objects.filter(pk=firm.bo.pk).update(team=north, role="team_lead")
        bo = Member.objects.get(pk=firm.bo.pk)
        seen = {member: set(reports.visible(member).values_list("kind", flat=True)) for member in (firm.ann, bo)}
        assert seen == {firm.ann: set(), bo: set()}
        assert reports.visible(firm.lea).count() == 2
        assert reports.visible(firm.eve).count() == 3
        again = reports.keep(
            kind="monthly", period=Period.read("2026-10"), who=Who.tenant(),
            facts={"as_of": "2026-11-01", "policy": 1}, told=[firm.ann],
        )  # fmt: skip
        assert again is None
        assert not Notice.objects.filter(member=firm.ann).exists()
    with (
        tenant_scope(firm.tenant),
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        cursor.execute("UPDATE incentives_report SET facts = '{}'")


def test_it_sends_the_month_with_the_file_and_the_week_as_text_in_the_readers_language(firm: Cast, post: Post) -> None:
    issue_due(firm.tenant)
    assert sending.work_off(firm.tenant) == 3
    assert sending.work_off(firm.tenant) == 0
    [english] = [mail for mail in post.mails if mail["To"].startswith("Eve")]
    body = english.get_body(("plain",)).get_content()
    assert english["Subject"] == "Monthly report: Oct 2026, The whole firm"
    assert english["Content-Language"] == "en"
    assert "Target and actual" in body
    assert "https://perennial.example/acme/reports/" in body
    assert english["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert english["List-Unsubscribe"].strip(" <>") in body
    chinese = [mail for mail in post.mails if mail["To"].startswith("Lea")]
    assert [mail["Content-Language"] for mail in chinese] == ["zh-hans", "zh-hans"]
    assert all("South" in mail["Subject"] for mail in chinese)
    assert any("2026年10月" in mail["Subject"] for mail in chinese)
    files = [list(mail.iter_attachments()) for mail in (english, *chinese)]
    if NO_PANGO in body:  # it says so, and goes without
        assert not any(files)
    else:
        assert sorted(len(found) for found in files) == [0, 1, 1]
        [file] = files[0]
        assert file.get_filename() == "report-acme-2026-10.pdf"
        assert file.get_content().startswith(b"%PDF")


def test_it_is_ended_by_one_click_and_begun_again(firm: Cast) -> None:
    with tenant_scope(firm.tenant):
        address = urlsplit(unsubscribe_url("report_weekly", firm.lea)).path
    browser = Client(enforce_csrf_checks=True)
    assert browser.get(address).status_code == 200
    with tenant_scope(firm.tenant):
        assert not NoticeWish.objects.exists()  # looking at it ends nothing
    # As a mail programme does it (RFC 8058): without a cookie, twice.
    for _time in range(2):
        assert browser.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    issue_due(firm.tenant)
    assert states(firm) == {("Eve", "report_monthly"): "queued", ("Lea", "report_monthly"): "queued"}
    assert browser.post(address, {"back": "1"}).status_code == 200
    with tenant_scope(firm.tenant):
        assert services.wish_by_mail("report_weekly", [firm.lea]) == {firm.lea.pk: "at_once"}
    assert browser.get(address.replace("report_weekly", "report_monthly")).status_code == 404
    assert browser.get(address.replace("report_weekly", "alerts_new")).status_code == 404
    assert browser.get(address.rstrip("/") + "x/").status_code == 404


def test_it_goes_on_where_it_was_broken_off(
    firm: Cast, post: Post, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    keep = reports.keep

    def die(**asked: Any) -> Any:
        report = keep(**asked)
        if asked["who"].kind == "tenant":
            raise KeyboardInterrupt  # as a kill would: between the report and the end of its transaction
        return report

    monkeypatch.setattr(reports, "keep", die)
    with pytest.raises(KeyboardInterrupt):
        issue_due(firm.tenant)
    monkeypatch.setattr(reports, "keep", keep)
    assert ("monthly", "2026-10-01", "tenant") not in made(firm)
    assert len(made(firm)) + issue_due(firm.tenant) == 3
    # One letter that cannot be written keeps no other from being sent, and is tried again.
    write = letters.short

    def stumble(found: Any, codes: Any) -> Any:
        if "whole firm" in found.title:
            raise RuntimeError("no ink")
        return write(found, codes)

    monkeypatch.setattr(letters, "short", stumble)
    sending.work_off(firm.tenant)
    assert states(firm)["Eve", "report_monthly"] == "queued"
    assert len(post.mails) == 2
    assert "no ink" in caplog.text
    monkeypatch.setattr(letters, "short", write)
    with tenant_scope(firm.tenant):
        NoticeDelivery.objects.filter(status="queued").update(due_at=DUE)
    sending.work_off(firm.tenant)
    assert len(post.mails) == 3
    assert set(states(firm).values()) == {"sent"}


def test_it_sends_to_who_asks_once_for_a_page_whatever_they_wish(firm: Cast, post: Post) -> None:
    ask = {"kind": "weekly", "period": Period.read("2026-W45"), "who": Who.person(firm.ann), "report": None}
    with tenant_scope(firm.tenant):
        assert reports.send_to_me(member=firm.ann, token="a" * 12, **ask) is True
        assert reports.send_to_me(member=firm.ann, token="a" * 12, **ask) is False
    sending.work_off(firm.tenant)
    [mail] = post.mails
    assert mail["Subject"] == "Weekly digest: Week 45 of 2026, Ann"
    # Who has left the team meanwhile gets no numbers of it.
    with tenant_scope(firm.tenant):
        team = {"kind": "weekly", "period": Period.read("2026-W45"), "who": Who.team(firm.lea.team_id), "report": None}
        reports.send_to_me(member=firm.bo, token="b" * 12, **team)
    sending.work_off(firm.tenant)
    assert "Overdue" not in post.mails[1].get_content()
    assert "no longer for you" in post.mails[1].get_content()


def test_it_reads_the_same_in_both_languages(firm: Cast) -> None:
    from django.utils import translation

    issue_due(firm.tenant)
    with tenant_scope(firm.tenant):
        facts = Report.objects.get(kind="monthly", team=None).facts
        with translation.override("en"):
            english = paper(facts)
        with translation.override("zh-hans"):
            chinese = paper(facts)
    assert [part.code for part in english.sections] == [part.code for part in chinese.sections]
    assert [[cell.path for cell in row] for part in english.sections for row in part.rows] == [
        [cell.path for cell in row] for part in chinese.sections for row in part.rows
    ]
    assert english.title != chinese.title
    # What is missing is said: no night has run, so there are neither tiers nor health.
    assert any("No night" in each for each in english.missing)
    assert len(english.missing) == len(chinese.missing)


def test_it_finds_nothing_due_on_another_day(firm: Cast, time_machine: Any) -> None:
    time_machine.move_to(DUE - dt.timedelta(hours=1), tick=False)
    assert issue_due(firm.tenant) == 0
    time_machine.move_to(DUE + dt.timedelta(days=11), tick=False)
    assert issue_due(firm.tenant) == 0
