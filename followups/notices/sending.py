"""Sending notices by mail and chat: each once, or reported as uncertain; none is lost.

1. Claim: due deliveries are locked (those that others hold are left), and marked "sending" with a lease and the parcel
   that they go out in: those of a digest to one member share one. One transaction.
2. Hand over: a transaction sets `handed_at`, if the lease is still ours. Then the mail, or the call, leaves.
3. Settle: a transaction writes what came of it.
4. Recover: of leases that have run out, what was not handed over goes back to the queue; what was, nobody knows:
   "uncertain", and it is not sent again by itself.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr
from typing import Final

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from followups.messages.channels import setup_of
from followups.messages.sending.gateways import GatewaySender
from followups.messages.sending.mail import MailSender
from followups.messages.sending.parcels import NotSent, Parcel, Receipt, Sender, Unclear
from followups.models import ChannelSetup, Notice, NoticeChat, NoticeDelivery
from followups.notices.kinds import kind_of
from followups.notices.services import gateway_url, language_of, sentence
from followups.notices.unsubscribing import unsubscribe_url
from tenants.context import current_tenant, tenant_scope
from tenants.models import Member, Tenant

BATCH: Final = 50
"""Deliveries that one worker claims at once."""

MOST_LINES: Final = 50
"""Notices that a digest names; the others are counted."""

WAITS: Final = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))
"""How long a delivery waits after each attempt that failed; then it has failed, and the notice stays on the page."""

ANSWER_LENGTH: Final = 500

logger = logging.getLogger("perennial.notices")

S: Final = NoticeDelivery.Status
Outcome = Receipt | NotSent | Unclear


@dataclass(frozen=True)
class _Load:
    """What goes out as one: its deliveries, how, and to whom; `chat` where it goes by chat.

    `letter` is a notice whose mail is written right before it leaves: that may take a while, and nobody waits for it.
    """

    ids: Sequence[int]
    parcel: Parcel
    chat: NoticeChat | None = None
    letter: Notice | None = None


def work_off(tenant: Tenant) -> int:
    """Send what is due in a firm; returns how many deliveries were looked at."""
    done = _recover(tenant)
    while loads := _claim(tenant):
        counts, is_down = _send(tenant, loads)
        done += counts
        if is_down:
            break  # the next ring tries the others: nobody waits for a server that is away
    return done


def _recover(tenant: Tenant) -> int:
    now = timezone.now()
    with tenant_scope(tenant):
        lost = NoticeDelivery.objects.filter(status=S.SENDING, lease_until__lt=now)
        ids = list(lost.select_for_update(skip_locked=True).values_list("pk", flat=True))
        rows = NoticeDelivery.objects.filter(pk__in=ids)
        rows.filter(handed_at__isnull=True).update(status=S.QUEUED, lease_until=None, parcel="")
        rows.filter(handed_at__isnull=False).update(status=S.UNCERTAIN, lease_until=None, why="unclear")
    return len(ids)


def _claim(tenant: Tenant) -> list[_Load]:
    now = timezone.now()
    with tenant_scope(tenant):
        due = NoticeDelivery.objects.filter(status=S.QUEUED, due_at__lte=now).order_by("due_at", "pk")
        locked = due.select_for_update(skip_locked=True, of=("self",))
        rows = list(locked.select_related("notice", "member__user")[:BATCH])
        needless = [row.pk for row in rows if not row.member.is_active or (row.is_digest and row.notice.read_at)]
        NoticeDelivery.objects.filter(pk__in=needless).update(status=S.NEEDLESS)
        rows = [row for row in rows if row.pk not in set(needless)]
        if not rows:
            return []
        setup = setup_of("email")
        chats = {chat.member_id: chat for chat in NoticeChat.objects.filter(member__in={row.member_id for row in rows})}
        groups: dict[tuple[int, str, int], list[NoticeDelivery]] = defaultdict(list)
        for row in rows:
            groups[row.member_id, row.way, 0 if row.is_digest else row.pk].append(row)
        loads = []
        until = now + dt.timedelta(seconds=settings.OUTBOX_LEASE_S)
        for (member_id, way, _alone), group in groups.items():
            # The same parcel again after a server was busy: its Message-ID lets the other side see the doublet.
            reference = group[0].parcel or f"n-{secrets.token_hex(12)}"
            NoticeDelivery.objects.filter(pk__in=[row.pk for row in group]).update(
                status=S.SENDING, lease_until=until, handed_at=None, parcel=reference, attempts=group[0].attempts + 1
            )
            parcel = _parcel(group, reference, setup)
            chat = chats.get(member_id) if way == NoticeDelivery.Way.CHAT else None
            if way == NoticeDelivery.Way.CHAT and chat is None:
                NoticeDelivery.objects.filter(pk__in=[row.pk for row in group]).update(status=S.NEEDLESS)
                continue
            loads.append(_Load([row.pk for row in group], parcel, chat, None if chat else _letter_of(group)))
        return loads


def _letter_of(group: Sequence[NoticeDelivery]) -> Notice | None:
    """The notice, where its kind has a mail of its own."""
    kind = kind_of(group[0].notice.kind)
    return group[0].notice if kind is not None and kind.letter is not None else None


def _written(load: _Load) -> _Load:
    """The load with its letter written, in the reader's language and the firm's time; as it is where it has none.

    Raises NotSent, to be tried again, when it cannot be written: the others are sent all the same.
    """
    kind = kind_of(load.letter.kind) if load.letter is not None else None
    if load.letter is None or kind is None or kind.letter is None:
        return load
    tenant, member = current_tenant(), load.letter.member
    base = f"{settings.PUBLIC_URL}/{tenant.slug}/"
    try:
        with translation.override(_language(load.parcel.language)), timezone.override(tenant.zone):
            letter = kind.letter(load.letter)
            end = _("No more of these mails, by one click: %(link)s")
            unsubscribe = unsubscribe_url(kind.code, member)
            text = f"{letter.text}\n\n{_why(base)}\n{end % {'link': unsubscribe}}\n"
    except Exception as error:
        # Whatever a letter stumbles over must not keep everybody else's from being sent; it is in the log whole.
        logger.exception("the letter of notice %s could not be written", load.letter.pk)
        raise NotSent(f"{type(error).__name__}: {error}", why="unwritten", again=True) from error
    return replace(
        load,
        parcel=replace(
            load.parcel,
            subject=letter.subject,
            text=text,
            attachments=letter.attachments,
            unsubscribe=unsubscribe,
        ),
    )


def _language(said: str) -> str:
    return said if said in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def _parcel(group: Sequence[NoticeDelivery], reference: str, setup: ChannelSetup) -> Parcel:
    tenant, member = current_tenant(), group[0].member
    language = language_of(member)
    with translation.override(_language(language)):
        subject, text = _words(group, member, tenant)
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return Parcel(
        message_id=0,
        reference=reference,
        address=member.user.email,
        to_name=str(member),
        subject=subject,
        text=text,
        from_name=setup.from_name or tenant.name or name,
        from_address=setup.from_address or address,
        language=language,
        is_automatic=True,
    )


def _words(group: Sequence[NoticeDelivery], member: Member, tenant: Tenant) -> tuple[str, str]:
    base = f"{settings.PUBLIC_URL}/{tenant.slug}/"
    rows = sorted(group, key=lambda row: row.notice_id)
    if not group[0].is_digest:
        said = sentence(rows[0].notice)
        return said, f"{said}\n\n{base}{rows[0].notice.url}\n\n{_why(base)}\n"
    count = len(rows)
    subject = ngettext("%(count)d notice for you", "%(count)d notices for you", count) % {"count": count}
    lines = [f"• {sentence(row.notice)}\n  {base}{row.notice.url}" for row in rows[:MOST_LINES]]
    if count > MOST_LINES:
        more = count - MOST_LINES
        lines.append(ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more})
    return subject, "\n".join(lines) + f"\n\n{_why(base)}\n"


def _why(base: str) -> str:
    return _("You choose what you hear of, and how: %(link)s") % {"link": f"{base}notices/wishes/"}


# ── handing over ────────────────────────────────────────────────────────────


def _send(tenant: Tenant, loads: Sequence[_Load]) -> tuple[int, bool]:
    counts: Counter[str] = Counter()
    mail: Sender | None = None
    down: NotSent | None = None
    try:
        for load in loads:
            outcome: Outcome
            if down is not None and load.chat is None:
                outcome = down
            else:
                try:
                    with tenant_scope(tenant):
                        ready = _written(load)
                except NotSent as refusal:
                    outcome = refusal
                else:
                    with tenant_scope(tenant):
                        is_ours = _hand(ready)
                    if not is_ours:
                        continue
                    if ready.chat is None:
                        mail = mail or MailSender()
                    outcome = _deliver(mail, ready)
            if isinstance(outcome, NotSent) and outcome.is_down and load.chat is None:
                down = outcome
            with tenant_scope(tenant):
                _settle(load, outcome)
            counts["looked_at"] += len(load.ids)
    finally:
        if mail is not None:
            mail.close()
    return counts["looked_at"], down is not None


def _hand(load: _Load) -> bool:
    now = timezone.now()
    ours = NoticeDelivery.objects.filter(pk__in=load.ids, status=S.SENDING, parcel=load.parcel.reference)
    until = now + dt.timedelta(seconds=settings.OUTBOX_LEASE_S)
    return bool(ours.update(handed_at=now, lease_until=until) == len(load.ids))


def _deliver(mail: Sender | None, load: _Load) -> Outcome:
    try:
        if load.chat is None:
            assert mail is not None  # noqa: S101  # made for it
            return mail.send(load.parcel)
        url = gateway_url(load.chat)
        if url is None:
            raise NotSent(_("The keys of the gateway cannot be read: enter its address again."), why="bad_gateway")
        return GatewaySender(url).send(load.parcel)
    except (NotSent, Unclear) as outcome:
        return outcome


def _settle(load: _Load, outcome: Outcome) -> None:
    now = timezone.now()
    rows = NoticeDelivery.objects.filter(pk__in=load.ids, parcel=load.parcel.reference)
    said = outcome.said[:ANSWER_LENGTH]
    if isinstance(outcome, Receipt):
        rows.update(status=S.SENT, sent_at=now, lease_until=None, why="", answer=said)
    elif isinstance(outcome, Unclear):
        rows.update(status=S.UNCERTAIN, lease_until=None, why="unclear", answer=said)
    else:
        first = rows.order_by("pk").first()
        attempts = first.attempts if first else 1
        if outcome.again and attempts <= len(WAITS):
            due_at = now + WAITS[attempts - 1]
            rows.update(status=S.QUEUED, due_at=due_at, lease_until=None, handed_at=None, why=outcome.why, answer=said)
        else:
            rows.update(status=S.FAILED, lease_until=None, why=outcome.why, answer=said)
    if load.chat is not None:
        worked = isinstance(outcome, Receipt)
        NoticeChat.objects.filter(pk=load.chat.pk).update(tried_at=now, worked=worked, said=said)


def is_due(tenant: Tenant) -> bool:
    """Whether there is something to send, or to ask about."""
    now = timezone.now()
    with tenant_scope(tenant):
        due = NoticeDelivery.objects.filter(status=S.QUEUED, due_at__lte=now).exists()
        return due or NoticeDelivery.objects.filter(status=S.SENDING, lease_until__lt=now).exists()
