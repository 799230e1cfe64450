"""Notices: telling members something once, what they have read, and how they wish to hear of what.

`notify` writes rows in the caller's transaction; mail and chat leave later, by a bell that looks for what is due
(sending.py). Whoever is told inside the house sees the notice at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from followups.messages.sending.gateways import KINDS as GATEWAYS
from followups.messages.sending.gateways import BadGateway, asks_for, scheme_of
from followups.models import Notice, NoticeChat, NoticeDelivery, NoticeWish
from followups.notices import kinds
from followups.notices.kinds import Kind
from followups.rules.notices import next_digest
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.secrets import seal, unseal

KEY_LENGTH: Final = 120
COUNTED: Final = 100
"""The bell counts so far: beyond it says 99+."""

CHAT_CHANNELS: Final = ("wechat", "app")
"""Channels whose gateways a member can be told by: bots of WeChat Work, DingTalk, Feishu, or a gateway of one's own."""


# ── telling ─────────────────────────────────────────────────────────────────


def notify(
    *, members: Iterable[Member], kind: str, key: str, params: Mapping[str, Any] | None = None, url: str = ""
) -> int:
    """Tell members something, each once for a key; returns how many had not been told before.

    `kind` is registered (kinds.py), `params` are JSON values that its sentence needs, `url` the path of a page inside
    the firm ("alerts/12/"). Members who are no longer active are left out. Safe to repeat, also at the same moment.
    Raises LookupError for a kind that nobody registered, ValueError for a key that is too long.
    """
    return notify_each(kind=kind, told=[Told(member, key, params or {}, url) for member in members])


@dataclass(frozen=True)
class Told:
    """What one member is told."""

    member: Member
    key: str
    params: Mapping[str, Any]
    url: str = ""


def notify_each(*, kind: str, told: Iterable[Told]) -> int:
    """`notify` for many at once, each with words of their own; one statement, however many."""
    known = kinds.kind_of(kind)
    if known is None:
        raise LookupError(f"Unknown kind of notice {kind!r}")
    wanted = {(each.member.pk, each.key): each for each in told if each.member.is_active}
    if any(not key or len(key) > KEY_LENGTH for _member, key in wanted):
        raise ValueError(f"A notice's key has 1 to {KEY_LENGTH} characters")
    if not wanted:
        return 0
    there = set(
        Notice.objects.filter(
            member__in={member for member, _key in wanted}, key__in={key for _member, key in wanted}
        ).values_list("member_id", "key")
    )
    rows = [
        Notice(member=each.member, kind=kind, key=each.key, params=dict(each.params), url=each.url)
        for place, each in wanted.items()
        if place not in there
    ]
    if not rows:
        return 0
    # Whoever tells the same at this moment is waited for; a notice that they wrote is theirs to send as well.
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    keys = {(row.member_id, row.key) for row in rows}
    written = [
        row
        for row in Notice.objects.filter(
            member__in={member for member, _key in keys}, key__in={key for _member, key in keys}, deliveries=None
        ).select_related("member")
        if (row.member_id, row.key) in keys
    ]
    _queue(written, known)
    return len(written)


def send_now(
    *, member: Member, kind: str, key: str, params: Mapping[str, Any] | None = None, url: str = ""
) -> bool:  # fmt: skip
    """Tell a member something that they have asked for: by mail at once, whatever they wish otherwise.

    Whether it is on its way now: asked for again with the same key it is not sent again. Raises as `notify` does.
    """
    if kinds.kind_of(kind) is None:
        raise LookupError(f"Unknown kind of notice {kind!r}")
    if not key or len(key) > KEY_LENGTH:
        raise ValueError(f"A notice's key has 1 to {KEY_LENGTH} characters")
    with acting(member):
        rows = [Notice(member=member, kind=kind, key=key, params=dict(params or {}), url=url)]
        Notice.objects.bulk_create(rows, ignore_conflicts=True)
        # Who asks for the same at this moment waits here until the other has put it on its way.
        row = Notice.objects.select_for_update().get(member=member, key=key)
        if row.deliveries.exists():
            return False
        _delivery(row, NoticeDelivery.Way.MAIL, timezone.now()).save()
        return True


def _queue(rows: list[Notice], kind: Kind) -> None:
    """Put the notices on their way, as each member wishes to hear of the kind."""
    wishes = {wish.member_id: wish for wish in NoticeWish.objects.filter(kind=kind.code)}
    with_chat = set(NoticeChat.objects.values_list("member_id", flat=True))
    now = timezone.now()
    digest_at = next_digest(firm_calendar(), now)
    queued = []
    for row in rows:
        wish = wishes.get(row.member_id)
        mail, chat = (wish.mail, wish.chat) if wish else (kind.usual_mail(row.member), kind.chat)
        if mail is not None and mail != NoticeWish.Mail.NEVER:
            is_digest = mail == NoticeWish.Mail.DAILY
            due_at = digest_at if is_digest else now
            queued.append(_delivery(row, NoticeDelivery.Way.MAIL, due_at, is_digest=is_digest))
        if chat and row.member_id in with_chat:
            queued.append(_delivery(row, NoticeDelivery.Way.CHAT, now))
    NoticeDelivery.objects.bulk_create(queued, ignore_conflicts=True)


def _delivery(row: Notice, way: str, due_at: dt.datetime, *, is_digest: bool = False) -> NoticeDelivery:
    return NoticeDelivery(notice=row, member_id=row.member_id, way=way, due_at=due_at, is_digest=is_digest)


# ── reading ─────────────────────────────────────────────────────────────────


def notices_of(member: Member) -> QuerySet[Notice]:
    """What a member has been told, the newest first."""
    rows: QuerySet[Notice] = Notice.objects.filter(member=member)
    return rows


def unread_by(member: Member) -> QuerySet[Notice]:
    """The notices that a member has not read."""
    rows: QuerySet[Notice] = Notice.objects.filter(member=member, read_at__isnull=True)
    return rows


def unread_count(member: Member) -> int:
    """How many notices a member has not read, counted up to COUNTED."""
    return int(unread_by(member).order_by()[:COUNTED].count())


def sentence(notice: Notice) -> str:
    """What a notice says, in the language that is active."""
    kind = kinds.kind_of(notice.kind)
    return kind.words(notice.params) if kind else _("A notice of another release: %(kind)s") % {"kind": notice.kind}


def sentence_for(notice: Notice, language: str) -> str:
    """What a notice says in a language."""
    with translation.override(language):
        return sentence(notice)


def read(*, member: Member, ids: Iterable[int] | None = None) -> int:
    """Mark notices of a member read, all of them without `ids`; returns how many were not. What waits for a digest goes."""
    with acting(member):
        rows = Notice.objects.filter(member=member, read_at__isnull=True)
        if ids is not None:
            rows = rows.filter(pk__in=set(ids))
        now = timezone.now()
        read_ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
        Notice.objects.filter(pk__in=read_ids).update(read_at=now, updated_at=now)
        waiting = NoticeDelivery.objects.filter(
            notice__in=read_ids, status=NoticeDelivery.Status.QUEUED, is_digest=True
        )
        waiting.update(status=NoticeDelivery.Status.NEEDLESS)
        return len(read_ids)


def unread(*, member: Member, ids: Iterable[int]) -> int:
    """Mark notices of a member unread again; returns how many were read. No mail is sent for that."""
    with acting(member):
        rows = Notice.objects.filter(member=member, read_at__isnull=False, pk__in=set(ids))
        return int(rows.update(read_at=None, updated_at=timezone.now()))


# ── wishes ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Wish:
    """How a member hears of a kind of notice, by their own wish or as it is usual."""

    kind: Kind
    mail: str
    chat: bool
    is_own: bool


def wishes_of(member: Member) -> list[Wish]:
    """How a member hears of each kind that is for them."""
    own = {row.kind: row for row in NoticeWish.objects.filter(member=member)}
    usual = [(kind, kind.usual_mail(member)) for kind in kinds.kinds()]
    return [
        Wish(kind, own[kind.code].mail, own[kind.code].chat, is_own=True)
        if kind.code in own
        else Wish(kind, mail, kind.chat, is_own=False)
        for kind, mail in usual
        if mail is not None
    ]


def wish_by_mail(kind: str, members: Iterable[Member]) -> dict[int, str]:
    """How members hear of a kind by mail, by their number, for those for whom it is; two questions for all of them."""
    known = kinds.kind_of(kind)
    if known is None:
        raise LookupError(f"Unknown kind of notice {kind!r}")
    own = dict(NoticeWish.objects.filter(kind=kind).values_list("member_id", "mail"))
    usual = [(member.pk, known.usual_mail(member)) for member in members]
    return {pk: own.get(pk, mail) for pk, mail in usual if mail is not None}


def wish(*, member: Member, wanted: Mapping[str, tuple[str, bool]]) -> int:
    """How the member wishes to hear of kinds: code → (mail, chat); returns how many differ from before.

    What is under way already goes as it was. Raises ValidationError for a kind or a way that does not exist.
    """
    with acting(member):
        Member.objects.select_for_update(no_key=True, of=("self",)).get(pk=member.pk)
        now = {each.kind.code: each for each in wishes_of(member)}
        changed = {}
        for code, (mail, chat) in wanted.items():
            if code not in now or mail not in now[code].kind.ways:
                raise ValidationError(_("There is no such kind of notice, or no such way."), code="invalid_choice")
            if (now[code].mail, now[code].chat) != (mail, chat):
                NoticeWish.objects.update_or_create(member=member, kind=code, defaults={"mail": mail, "chat": chat})
                changed[code] = [[now[code].mail, now[code].chat], [mail, chat]]
        if changed:
            record("wished", member, {"notices": changed})
        return len(changed)


def chat_of(member: Member) -> NoticeChat | None:
    """Where a member hears of notices by chat."""
    row: NoticeChat | None = NoticeChat.objects.filter(member=member).first()
    return row


def save_chat(*, member: Member, gateway: str) -> NoticeChat | None:
    """By which bot or gateway a member is told by chat: its address with the keys; "" takes it away.

    Raises ValidationError for an address that is none, or that asks for facts of a customer's contact.
    """
    with acting(member):
        Member.objects.select_for_update(no_key=True, of=("self",)).get(pk=member.pk)
        gateway = gateway.strip()
        if not gateway:
            gone, _by_model = NoticeChat.objects.filter(member=member).delete()
            if gone:
                record("chat_removed", member)
            return None
        try:
            name = _scheme(gateway)
            holes = asks_for(gateway)
        except BadGateway as error:
            raise ValidationError({"gateway": str(error)}) from error
        if holes:
            words = _("This address is filled in for a customer's contact; give one of your own.")
            raise ValidationError({"gateway": ValidationError(words, code="holes")})
        row, _is_new = NoticeChat.objects.update_or_create(
            member=member,
            defaults={
                "gateway": seal(gateway), "gateway_name": name, "tried_at": None, "worked": None, "said": "",
            },
        )  # fmt: skip
        record("chat_set_up", member, {"gateway": name})
        chat: NoticeChat = row
        return chat


def _scheme(gateway: str) -> str:
    """Raises BadGateway for what no channel for chat has."""
    said: BadGateway | None = None
    for channel in CHAT_CHANNELS:
        try:
            return scheme_of(channel, gateway)
        except BadGateway as error:
            said = error
    raise BadGateway(str(said))


def gateway_url(chat: NoticeChat) -> str | None:
    """The address with its keys; None when the installation's key has changed since."""
    return unseal(chat.gateway)


def chat_examples() -> list[tuple[str, str]]:
    """What a chat's address may look like: (what it is called, an example)."""
    found = {kind.example: str(kind.title) for channel in CHAT_CHANNELS for kind in GATEWAYS[channel].values()}
    return [(title, example) for example, title in found.items() if "{" not in example]


def language_of(member: Member) -> str:
    """The language in which a member is written to."""
    return member.user.language or current_tenant().language
