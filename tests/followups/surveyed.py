"""Fixtures' helpers for surveys: a contact of a customer of acme, a survey, the policy of surveys."""

from __future__ import annotations

from typing import Any

from customers.models import Contact
from followups.models import Survey
from followups.surveys import services as surveys
from tenants.context import tenant_scope
from tenants.policies import active_policy, save_policy


def contact_of(cast: Any, customer: Any = None, **fields: Any) -> Contact:
    """Chen Jing, purchasing, with an e-mail address, at a customer of Ann's."""
    customer = customer or cast.customer()
    usual = {"name": "Chen Jing", "email": "chen.jing@huaxin.example", "is_main": True}
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=customer, **(usual | fields))


def asked(cast: Any, contact: Contact | None = None, kind: str = "nps", **fields: Any) -> Survey:
    """An asking by hand; the contact's."""
    contact = contact or contact_of(cast)
    usual = {"cause": "hand", "period": "hand:2026-11-20"}
    with tenant_scope(cast.tenant):
        return surveys.ask(contact=contact, kind=kind, **(usual | fields))[0]


def set_policy(cast: Any, section: str = "surveys", **values: Any) -> None:
    """Change a section of acme's policy."""
    with tenant_scope(cast.tenant):
        now = active_policy()
        document = dict(now.document)
        document[section] = {**document.get(section, {}), **values}
        save_policy(document, pack=now.pack, note="test")
