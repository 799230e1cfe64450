"""Writing: tenants, people, tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.context import current_tenant, tenant_scope
from tenants.events import changes_of, record
from tenants.models import ApiToken, Member, Team, Tenant, User
from tenants.permissions import Role, permissions_of
from tenants.policies import pack_document, save_policy

TOKEN_DAYS = 365
_API = "pn"  # with what an API token begins
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@transaction.atomic
def create_tenant(
    *, slug: str, name: str, pack: str, timezone: str, currency: str, country: str = "", language: str = "en"
) -> Tenant:
    """Make a firm with the policy of a shipped pack.

    Raises ValidationError naming the field, ValueError for an unknown pack.
    """
    document = pack_document(pack)
    tenant = Tenant(slug=slug, name=name, timezone=timezone, currency=currency, country=country, language=language)
    tenant.full_clean()
    tenant.save()
    with tenant_scope(tenant):
        save_policy(document, pack=pack, note="")
    return tenant


def create_member(
    *,
    email: str,
    role: str,
    name: str = "",
    password: str | None = None,
    team: Team | None = None,
    language: str = "",
    weekly_capacity: int | None = None,
) -> Member:
    """Give a person, known by e-mail address or new, a place in the open scope's tenant.

    An existing person keeps name and password. `weekly_capacity` is in touches a week; None: as the policy says.
    Raises ValidationError when they are a member already.
    """
    permissions_of(role)
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name or email.split("@")[0], language=language)
    if Member.objects.filter(user=user).exists():
        raise ValidationError(_("%(email)s is a member already.") % {"email": email})
    member = Member.objects.create(user=user, role=role, team=team, weekly_capacity=weekly_capacity)
    record("created", member, {"role": role})
    return member


def team_named(name: str) -> Team | None:
    """The team of that name, made when it is new; None for an empty name."""
    if not name.strip():
        return None
    team, made = Team.objects.get_or_create(name=name.strip(), defaults={"tenant": current_tenant()})
    if made:
        record("created", team, {"name": team.name})
    return team


def invite_member(
    *, email: str, role: str, name: str = "", team_name: str = "", weekly_capacity: int | None = None
) -> Member:
    """Give a person a place; a new one has no password until they ask for one by mail.

    Raises ValidationError when they are a member already.
    """
    return create_member(email=email, role=role, name=name, team=team_named(team_name), weekly_capacity=weekly_capacity)


def update_member(*, member: Member, role: str, team_name: str, is_active: bool, weekly_capacity: int | None) -> Member:
    """Change role, team and the touches a week there is room for (None: as the policy says), or end the membership.

    Raises ValidationError when the firm would be left without an administrator.
    """
    permissions_of(role)
    stays_admin = is_active and role == Role.ADMIN
    if member.role == Role.ADMIN and member.is_active and not stays_admin:
        # The rows are locked, so that two administrators cannot dismiss each other at once.
        admins = Member.objects.select_for_update().filter(role=Role.ADMIN, is_active=True)
        if {row.pk for row in admins} <= {member.pk}:
            raise ValidationError(_("This is the last administrator; make another one first."))
    values = {
        "role": role,
        "team": team_named(team_name),
        "weekly_capacity": weekly_capacity,
        "is_active": is_active,
    }
    if changes := changes_of(member, values):
        for field, value in values.items():
            setattr(member, field, value)
        member.save(update_fields=list(changes))
        record("updated", member, changes)
    return member


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _ALPHABET[rest] + digits
    return digits or "0"


def _hash(secret: str) -> str:
    # The secret has 256 random bits: a slow hash would protect nothing and cost every request.
    return hashlib.sha256(secret.encode()).hexdigest()


def create_token(
    *, member: Member, scopes: Iterable[str], name: str = "", days: int = TOKEN_DAYS
) -> tuple[ApiToken, str]:
    """Make a token for a member; returns the row and the token's text, which is never shown again.

    `scopes` of "all" are every scope of the role. Raises ValidationError for a scope that the role lacks.
    """
    allowed = permissions_of(member.role)
    wanted = set(scopes)
    if wanted == {"all"}:
        wanted = set(allowed)
    if missing := sorted(wanted - allowed):
        raise ValidationError(
            _("The role %(role)s has no %(scopes)s.") % {"role": member.role, "scopes": ", ".join(missing)}
        )
    prefix, secret_hash, text = make_secret(_API)
    token = ApiToken.objects.create(
        member=member,
        name=name,
        prefix=prefix,
        secret_hash=secret_hash,
        scopes=sorted(wanted),
        expires_at=timezone.now() + dt.timedelta(days=days),
    )
    record("created", token, {"scopes": token.scopes})
    return token, text


def make_secret(kind: str) -> tuple[str, str, str]:
    """A new secret of the open scope's tenant: its prefix, the hash to keep, and its text, which nobody keeps.

    `kind` says at the text's beginning what it opens; letters only.
    """
    # The prefix names the tenant, so that the wall is up before the table is read.
    prefix = f"{_base36(current_tenant().pk)}x{secrets.token_hex(4)}"
    secret = secrets.token_urlsafe(32)
    return prefix, _hash(secret), f"{kind}_{prefix}_{secret}"


def prefix_of(text: str) -> str:
    """The prefix of a secret's text, by which its row is found."""
    return text.partition("_")[2].partition("_")[0]


def is_secret(secret_hash: str, text: str) -> bool:
    """Whether the text has the secret of which this hash was kept."""
    return hmac.compare_digest(secret_hash, _hash(text.partition("_")[2].partition("_")[2]))


def tenant_of_token(text: str, *, kind: str = _API) -> Tenant | None:
    """The tenant that a secret's text names, before anything is proven."""
    said, _sep, rest = text.partition("_")
    # The last x divides: a tenant's number may have one of its own, the hexadecimal part has none.
    number = rest.partition("_")[0].rpartition("x")[0]
    if said != kind or not number or len(number) > 12 or set(number) - set(_ALPHABET):
        return None
    return Tenant.objects.filter(pk=int(number, 36), is_active=True).first()


def check_token(text: str) -> ApiToken | None:
    """The usable token with this text in the open scope's tenant, or None. Notes when it was last used."""
    token = ApiToken.objects.select_related("member__user").filter(prefix=prefix_of(text)).first()
    now = timezone.now()
    if token is None or not is_secret(token.secret_hash, text):
        return None
    if not token.is_usable(now) or not token.member.is_active or not token.member.user.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at > dt.timedelta(minutes=5):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def revoke_token(*, token: ApiToken) -> None:
    """End a token now; it stays listed."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    record("revoked", token)
