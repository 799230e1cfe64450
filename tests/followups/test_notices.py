"""It: notices, told once, by mail and chat through real servers, as each member wishes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from followups.models import Notice, NoticeChat, NoticeDelivery
from followups.notices import pruning, sending, services
from followups.notices.kinds import kind_of, register
from followups.rules.notices import next_digest
from tenants.context import tenant_scope
from tenants.rules.calendar import Calendar
from tests.conftest import Cast
from tests.followups.post import Post, gateway, post_office

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)  # a Friday


def _words(params: Any) -> str:
    return f"Boat {params['boat']}"


@pytest.fixture(autouse=True)
def kinds() -> None:
    """A kind that is told at once, by chat as well, and one that waits for the digest."""
    register("test_urgent", "A boat sinks", _words, mail="at_once", chat=True)
    register("test_daily", "A boat comes in", _words)


@pytest.fixture
def firm(cast: Cast) -> Iterator[Cast]:
    with tenant_scope(cast.tenant):
        yield cast


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    with post_office() as post:
        settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", post.port, False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.DEFAULT_FROM_EMAIL = "Perennial <house@perennial.example>"
        settings.PUBLIC_URL = "https://perennial.example"
        yield post


def tell(cast: Cast, *members: Any, kind: str = "test_urgent", key: str = "1", boat: str = "Erna") -> int:
    return services.notify(members=members, kind=kind, key=key, params={"boat": boat}, url="alerts/7/")


def states() -> list[tuple[str, str]]:
    return list(NoticeDelivery.objects.order_by("pk").values_list("way", "status"))


def test_it_tells_each_member_once_for_a_key_and_nobody_who_has_left(firm: Cast) -> None:
    firm.bo.is_active = False
    firm.bo.save()
    assert tell(firm, firm.ann, firm.lea, firm.bo) == 2
    assert tell(firm, firm.ann, firm.lea, firm.eve) == 1
    assert tell(firm, firm.ann, key="2") == 1
    assert services.unread_count(firm.ann) == 2
    assert [services.sentence(row) for row in services.notices_of(firm.ann)] == ["Boat Erna", "Boat Erna"]
    with pytest.raises(LookupError):
        tell(firm, firm.ann, kind="test_nobody")
    with pytest.raises(ValueError, match="characters"):
        tell(firm, firm.ann, key="x" * 121)


def test_it_sends_at_once_by_real_mail_once_in_the_members_language(cast: Cast, post: Post) -> None:
    cast.ann.user.language = "zh-hans"
    cast.ann.user.save()
    with tenant_scope(cast.tenant):
        tell(cast, cast.ann)
    assert sending.work_off(cast.tenant) == 1
    assert sending.work_off(cast.tenant) == 0
    [mail] = post.mails
    assert (mail["To"], mail["Subject"]) == ("Ann <ann@acme.example>", "Boat Erna")
    assert mail["From"] == "Acme Trading <house@perennial.example>"
    assert mail["Content-Language"] == "zh-hans"
    assert "https://perennial.example/acme/alerts/7/" in mail.get_content()
    with tenant_scope(cast.tenant):
        assert states() == [("mail", "sent")]


def test_it_puts_the_days_notices_into_one_mail_without_what_has_been_read(
    cast: Cast, post: Post, time_machine: Any
) -> None:
    time_machine.move_to(NOON, tick=False)
    with tenant_scope(cast.tenant):
        for boat in ("Erna", "Frieda", "Gerda"):
            tell(cast, cast.ann, kind="test_daily", key=boat, boat=boat)
        frieda = Notice.objects.get(key="Frieda")
        assert services.read(member=cast.ann, ids=[frieda.pk]) == 1
        assert services.read(member=cast.bo, ids=[frieda.pk]) == 0
    assert sending.work_off(cast.tenant) == 0  # it is Friday noon; the next opening is on Monday at nine
    time_machine.move_to(dt.datetime(2026, 11, 23, 8, 59, tzinfo=dt.UTC), tick=False)
    assert sending.work_off(cast.tenant) == 0
    time_machine.move_to(dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC), tick=False)
    assert sending.work_off(cast.tenant) == 2
    [mail] = post.mails
    assert mail["Subject"] == "2 notices for you"
    text = mail.get_content()
    assert "Boat Erna" in text
    assert "Boat Gerda" in text
    assert "Frieda" not in text
    assert "https://perennial.example/acme/notices/wishes/" in text


def test_it_tries_again_while_the_server_is_away_and_says_when_nobody_knows(
    cast: Cast, post: Post, settings: Any, time_machine: Any
) -> None:
    time_machine.move_to(NOON, tick=False)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    with tenant_scope(cast.tenant):
        tell(cast, cast.ann)
    sending.work_off(cast.tenant)
    with tenant_scope(cast.tenant):
        assert states() == [("mail", "queued")]
    settings.EMAIL_PORT = port
    time_machine.move_to(NOON + dt.timedelta(minutes=1), tick=False)
    sending.work_off(cast.tenant)
    assert len(post.mails) == 1
    # A worker that died before the text left: it goes again. After it had left: nobody knows, and it does not.
    with tenant_scope(cast.tenant):
        tell(cast, cast.ann, key="2")
        tell(cast, cast.ann, key="3")
        past = NOON - dt.timedelta(hours=1)
        first, second = NoticeDelivery.objects.filter(status="queued").order_by("pk").values_list("pk", flat=True)
        NoticeDelivery.objects.filter(pk=first).update(status="sending", lease_until=past)
        NoticeDelivery.objects.filter(pk=second).update(status="sending", lease_until=past, handed_at=past)
    assert sending.is_due(cast.tenant)
    sending.work_off(cast.tenant)
    assert len(post.mails) == 2
    with tenant_scope(cast.tenant):
        assert states() == [("mail", "sent"), ("mail", "sent"), ("mail", "uncertain")]


def test_it_sends_by_the_members_own_chat_gateway_and_keeps_its_keys(cast: Cast, post: Post, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with gateway() as chat, tenant_scope(cast.tenant):
        address = f"json://{chat.url.removeprefix('http://')}/hook/SECRET"
        for wrong in ("nonsense", "twilio://SID:TOKEN@+441632960000/+441632960001", f"{address}?:to={{phone}}"):
            with pytest.raises(ValidationError):
                services.save_chat(member=cast.ann, gateway=wrong)
        services.save_chat(member=cast.ann, gateway=address)
        assert "SECRET" not in NoticeChat.objects.get().gateway
        tell(cast, cast.ann, cast.lea)
        assert sorted(way for way, _status in states()) == ["chat", "mail", "mail"]
        sending.work_off(cast.tenant)
        [asked] = chat.asked
        assert asked["body"]["title"] == "Boat Erna"
        assert "alerts/7/" in asked["body"]["message"]
        kept = NoticeChat.objects.get()
        assert kept.worked is True
        chat.status = 401
        tell(cast, cast.ann, key="2")
        sending.work_off(cast.tenant)
        kept.refresh_from_db()
        assert kept.worked is False
        assert "401" in kept.said
        services.save_chat(member=cast.ann, gateway="")
        tell(cast, cast.ann, key="3")
        assert not NoticeDelivery.objects.filter(notice__key="3", way="chat").exists()


def test_it_hears_a_member_who_wishes_otherwise(firm: Cast) -> None:
    assert kind_of("test_urgent") is not None
    services.wish(member=firm.ann, wanted={"test_urgent": ("never", False)})
    tell(firm, firm.ann, firm.lea)
    assert [row.member_id for row in NoticeDelivery.objects.all()] == [firm.lea.pk]
    assert services.unread_count(firm.ann) == 1
    with pytest.raises(ValidationError):
        services.wish(member=firm.ann, wanted={"test_urgent": ("by_pigeon", False)})


def test_it_takes_away_what_is_old_but_nothing_that_is_still_on_its_way(
    cast: Cast, settings: Any, time_machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOTICE_DAYS = 30
    monkeypatch.setattr(pruning, "CHUNK", 2)  # three rounds
    time_machine.move_to(NOON, tick=False)
    with tenant_scope(cast.tenant):
        for key in ("read", "unread", "waiting", "on its way", "failed", "by nobody"):
            tell(cast, cast.ann, key=key)
        services.read(member=cast.ann, ids=[Notice.objects.get(key="read").pk])
        for key, status in (
            ("read", "sent"), ("unread", "sent"), ("on its way", "sending"), ("failed", "failed"), ("by nobody", "needless"),
        ):  # fmt: skip
            NoticeDelivery.objects.filter(notice__key=key).update(status=status)
    time_machine.move_to(NOON + dt.timedelta(days=30), tick=False)
    with tenant_scope(cast.tenant):
        tell(cast, cast.ann, key="new")
    assert pruning.prune(cast.tenant) == 0  # to the second as old as they may be
    time_machine.move_to(NOON + dt.timedelta(days=30, seconds=1), tick=False)
    assert pruning.prune(cast.tenant) == 4
    assert pruning.prune(cast.tenant) == 0
    with tenant_scope(cast.tenant):
        assert set(Notice.objects.values_list("key", flat=True)) == {"waiting", "on its way", "new"}
        assert NoticeDelivery.objects.count() == 3


START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
moments = st.integers(0, 3640 * 24 * 3600).map(lambda seconds: START + dt.timedelta(seconds=seconds))


@given(moments, st.sampled_from([("Asia/Shanghai", "CN"), ("Europe/London", "GB"), ("America/New_York", "US")]))
def test_it_sends_the_digest_at_the_next_opening_and_never_before(now: dt.datetime, place: tuple[str, str]) -> None:
    calendar = Calendar(zone=ZoneInfo(place[0]), country=place[1])
    due = next_digest(calendar, now)
    local = due.astimezone(calendar.zone)
    assert due > now
    assert calendar.is_working(local.date())
    assert local.time() == calendar.opens
    # No opening lies between.
    day = now.astimezone(calendar.zone).date()
    while day < local.date():
        assert not calendar.is_working(day) or dt.datetime.combine(day, calendar.opens, calendar.zone) <= now
        day += dt.timedelta(days=1)


def test_it_names_a_moment_also_for_a_firm_that_never_opens() -> None:
    never = Calendar(zone=ZoneInfo("UTC"), week="mon_fri", days_off=frozenset(
        dt.date(2026, 1, 1) + dt.timedelta(days=each) for each in range(2500)
    ))  # fmt: skip
    assert next_digest(never, NOON) == dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)
