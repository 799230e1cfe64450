"""Who may do what: one vocabulary for roles, pages and API scopes.

A permission is `<resource>:<read|write|…>`. A member may what the role lists; a token may what its scopes
and its member's role both list. `tests/contracts/test_permissions.py` runs every URL as every role.
"""

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    ACCOUNT_MANAGER = "account_manager", _("Account manager")
    TEAM_LEAD = "team_lead", _("Team lead")
    EXECUTIVE = "executive", _("Executive")
    ADMIN = "admin", _("Administrator")
    INTEGRATION = "integration", _("Integration")


_FACTS = (
    "customers", "contacts", "products", "orders", "interactions", "complaints", "survey-responses", "evidence",
    "referrals",
)  # fmt: skip
_READ_FACTS = frozenset(f"{fact}:read" for fact in _FACTS)
_WRITE_FACTS = frozenset(f"{fact}:write" for fact in _FACTS)
_READ_DERIVED = frozenset(
    {
        "tiers:read",
        "values:read",
        "segments:read",
        "cross-sell:read",
        "scores:read",
        "pulses:read",
        "forecasts:read",
        "back-tests:read",
        "follow-ups:read",
        "absences:read",
        "care-days:read",
        "surveys:read",
        "alerts:read",
        "cases:read",
        "win-backs:read",
        "incidents:read",
        "scripts:read",
        "journeys:read",
        "playbooks:read",
        "playbook-runs:read",
        "enrolments:read",
        "messages:read",
        "rewards:read",
        "upgrades:read",
        "kpis:read",
        "goals:read",
        "certifications:read",
        "trainings:read",
        "promotion-notes:read",
        "reports:read",
        "awards:read",
    }
)
# What everybody has for themselves.
_OWN = frozenset({"notices:read", "notices:write"})

_ACCOUNT_MANAGER = (
    _READ_FACTS
    | _READ_DERIVED
    | _OWN
    | {"customers:write", "contacts:write", "interactions:write", "complaints:write", "evidence:write"}
    | {"survey-responses:write", "pulses:write", "messages:write"}
    | {"cases:write", "win-backs:write"}
    | {"referrals:write", "upgrades:write", "rewards:write", "goals:write", "trainings:write"}
    | {"surveys:write", "quality-reviews:read", "incidents:write"}
    | {"absences:write", "care-days:write"}
    | {"customers:export", "follow-ups:write", "segments:write", "policy:read"}
    | {"alerts:write"}
)
_TEAM_LEAD = _ACCOUNT_MANAGER | {
    "follow-ups:assign", "imports:read", "runs:read", "policy:write", "tiers:write", "members:read",
    "back-tests:write", "quality-reviews:write", "mystery-visits:read", "mystery-visits:write",
    "scripts:write", "journeys:write", "playbooks:write", "alerts:assign", "team:read",
    "rewards:approve", "kpis:write", "certifications:write", "promotion-notes:write", "awards:write",
}  # fmt: skip
_EXECUTIVE = _READ_FACTS | _READ_DERIVED | _OWN | {
    "alerts:write", "alerts:assign", "incidents:write",
    "customers:export", "segments:write", "runs:read", "policy:read", "members:read",
    "quality-reviews:read", "mystery-visits:read", "mystery-visits:write",
    "team:read", "programme:read", "rewards:write", "rewards:approve", "rewards:pay", "goals:write",
    "trainings:write", "certifications:write", "promotion-notes:write", "awards:write",
}  # fmt: skip
_INTEGRATION = _READ_FACTS | _WRITE_FACTS | _READ_DERIVED | _OWN | {
    "alerts:write", "incidents:write",
    "follow-ups:write", "care-days:write", "surveys:write", "messages:write", "imports:read", "imports:write", "upgrades:write",
}  # fmt: skip
_ADMIN = _TEAM_LEAD | _WRITE_FACTS | {
    "imports:write", "members:write", "tokens:write", "runs:write", "events:read", "channels:write", "programme:read", "rewards:pay",
}  # fmt: skip

ROLE_PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    Role.ACCOUNT_MANAGER: frozenset(_ACCOUNT_MANAGER),
    Role.TEAM_LEAD: frozenset(_TEAM_LEAD),
    Role.EXECUTIVE: frozenset(_EXECUTIVE),
    Role.ADMIN: frozenset(_ADMIN),
    Role.INTEGRATION: frozenset(_INTEGRATION),
}
PERMISSIONS: Final[frozenset[str]] = frozenset().union(*ROLE_PERMISSIONS.values())

# Who sees every customer of the tenant; the others see their own and covered ones, or their team's.
SEES_ALL: Final = frozenset({Role.EXECUTIVE, Role.ADMIN, Role.INTEGRATION})


def permissions_of(role: str) -> frozenset[str]:
    """What a role may do.

    Raises KeyError for a role that does not exist.
    """
    return ROLE_PERMISSIONS[role]


def check_known(permission: str) -> str:
    """The permission itself.

    Raises LookupError for a name that no role lists: a misspelt permission must not read as "no".
    """
    if permission not in PERMISSIONS:
        raise LookupError(f"Unknown permission {permission!r}")
    return permission
