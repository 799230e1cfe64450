"""The address by which somebody answers a survey: signed, not to be guessed, and kept nowhere.

The text is worked out from the row and the secret key, so that a reminder can carry it again. Whoever has it may answer
for that contact, and nothing else; a new secret key with the old one in SECRET_KEY_FALLBACKS keeps links working.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from followups.models import Survey
from tenants.models import Tenant

_SALT: Final = "followups.surveys"
_BETWEEN: Final = "~"
_LONGEST: Final = 120


def token_of(survey: Survey) -> str:
    """The text in the address."""
    return Signer(salt=_SALT, sep=".").sign(f"{survey.tenant_id}{_BETWEEN}{survey.pk}")


def address_of(survey: Survey) -> str:
    """The whole address, as a message has it."""
    return f"{settings.PUBLIC_URL}{reverse('survey-answer', kwargs={'token': token_of(survey)})}"


def read_token(text: str) -> tuple[Tenant, int] | None:
    """Whose survey it is, and its number; None for what we have not signed and for a firm that is closed."""
    if len(text) > _LONGEST:
        return None
    try:
        value = Signer(salt=_SALT, sep=".").unsign(text)
    except BadSignature:
        return None
    tenant_id, _between, pk = value.partition(_BETWEEN)
    tenant = Tenant.objects.filter(pk=int(tenant_id), is_active=True).first()
    return None if tenant is None else (tenant, int(pk))
