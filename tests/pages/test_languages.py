"""It: every page opens in both languages, says so, and leaves no hole."""

import datetime as dt

import pytest
from django.urls import reverse

from customers.models import Complaint, Contact, Import, Interaction, SurveyResponse
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import User
from tests.pages.conftest import text

PAGES = [
    "today",
    "customers",
    "customer",
    "customer-timeline",
    "customer-add",
    "customer-edit",
    "log",
    "contact-add",
    "contact",
    "complaint-add",
    "complaint-solve",
    "survey-response-add",
    "survey-response",
    "imports",
    "import-add",
    "import",
    "runs",
    "members",
    "member-add",
    "member",
    "tokens",
    "token-add",
]


@pytest.fixture
def addresses(cast, placed, night):
    """Where each page is, with something on it."""
    customer = cast.customer()
    placed(customer, *range(5, 400, 20), net="200")
    with tenant_scope(cast.tenant):
        contact = Contact.objects.create(customer=customer, name="Liu Fang", birthday=dt.date(1980, 12, 3))
        complaint = Complaint.objects.create(customer=customer, topic="Chipped")
        Interaction.objects.create(customer=customer, contact=contact, channel="wechat", answered=False)
        answer = SurveyResponse.objects.create(
            customer=customer, contact=contact, complaint=complaint, kind="nps", score=9
        )
        done = Import.objects.create(kind="orders", filename="orders.csv", status="done", rows=3, created=1, failed=2)
    night()
    rows = {
        "pk": {
            "contact": contact,
            "complaint-solve": complaint,
            "survey-response": answer,
            "import": done,
            "member": cast.bo,
        },
        "customer": {"log", "contact-add", "complaint-add", "survey-response-add"},
    }

    def address(name):
        kwargs = {"tenant": "acme"}
        if name in rows["customer"]:
            kwargs["customer"] = customer.pk
        elif name in rows["pk"]:
            kwargs["pk"] = rows["pk"][name].pk
        elif name in {"customer", "customer-timeline", "customer-edit"}:
            kwargs["pk"] = customer.pk
        return reverse(name, kwargs=kwargs)

    return {name: address(name) for name in PAGES}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_opens(cast, sign_in, addresses, language):
    User.objects.filter(pk=cast.ada.user_id).update(language=language)
    client = sign_in(cast.ada)
    for name, address in addresses.items():
        answer = client.get(address)
        assert answer.status_code == 200, name
        page = text(answer)
        assert f'<html lang="{language}">' in page, name
        assert "%(" not in page, name
        assert "{{" not in page, name


def test_writes_numbers_in_groups_of_three_in_chinese_too(cast, sign_in, addresses):
    User.objects.filter(pk=cast.ada.user_id).update(language="zh-hans")
    with tenant_scope(cast.tenant):
        money = Standing.objects.get().monetary
    assert money > 1000
    assert f"£{money:,.0f}" in text(sign_in(cast.ada).get(addresses["customers"]))
