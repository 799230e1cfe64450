"""Ending the mails of a kind of notice by the link in one of them: without signing in, and back again."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.urls import reverse

from followups.models import NoticeWish
from followups.notices import services
from followups.notices.kinds import Kind, kind_of
from tenants.context import current_tenant
from tenants.models import Member, Tenant
from tenants.signed import sign, unsign

_SIGNED: Final = "notice"


def unsubscribe_url(kind: str, member: Member) -> str:
    """The address at which a member ends the mails of a kind; it needs no sign-in, so it is signed for both."""
    token = sign(f"{_SIGNED}.{kind}", current_tenant().pk, member.pk)
    return f"{settings.PUBLIC_URL}{reverse('notice-unsubscribe', kwargs={'kind': kind, 'token': token})}"


def found_by(code: str, token: str) -> tuple[Tenant, int, Kind] | None:
    """The firm, the member and the kind of an address that we have signed, or None."""
    kind, signed = kind_of(code), unsign(f"{_SIGNED}.{code}", token)
    tenant = Tenant.objects.filter(pk=signed[0], is_active=True).first() if signed else None
    return (tenant, signed[1], kind) if tenant and signed and kind and kind.letter else None


def is_out(kind: Kind, member: Member) -> bool:
    """Whether a member gets no mails of the kind."""
    return services.wish_by_mail(kind.code, [member]).get(member.pk, NoticeWish.Mail.NEVER) == NoticeWish.Mail.NEVER


def leave(kind: Kind, member: Member) -> None:
    """No more mails of the kind; a repeat changes nothing."""
    _wish(kind, member, NoticeWish.Mail.NEVER)


def come_back(kind: Kind, member: Member) -> None:
    """Mails of the kind again."""
    _wish(kind, member, NoticeWish.Mail.AT_ONCE)


def _wish(kind: Kind, member: Member, mail: str) -> None:
    now = next((each for each in services.wishes_of(member) if each.kind.code == kind.code), None)
    if now is not None:  # else it is no longer for them: nothing is sent anyway
        services.wish(member=member, wanted={kind.code: (mail, now.chat)})
