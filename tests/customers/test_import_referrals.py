"""Referrals out of files: each row judged by those before it, and every refusal says why."""

from __future__ import annotations

from typing import Any

from customers.models import Customer, Evidence, Referral
from tenants.context import tenant_scope
from tests.customers.conftest import counts


def test_it_takes_claims_and_refuses_doubles_circles_and_strangers(cast: Any, deliver: Any, why: Any) -> None:
    deliver("customer,name\n" + "".join(f"K{number},Customer {number}\n" for number in range(1, 5)), kind="customers")
    rows = (
        "customer,referrer,on,member,note,external_id\n"
        f"K2,K1,2026-03-01,{cast.ann.user.email},At the fair,R1\n"
        "K2,K3,2026-03-02,,,R2\n"  # somebody else holds it
        "K1,K2,2026-03-02,,,R3\n"  # a circle
        "K3,K3,2026-03-02,,,R4\n"  # itself
        "K9,K1,2026-03-02,,,R5\n"  # nobody knows it
        "K4,K1,2199-03-02,,,R6\n"  # still to come
        "K4,K1,2026-04-01,,,\n"
    )
    row = deliver(rows, kind="referrals")
    assert counts(row)[:3] == (7, 5, 2)
    refused = {line: reason for line, _column, reason in why(row)}
    assert sorted(refused) == [3, 4, 5, 6, 7]
    assert "Ann holds the claim" in refused[3]
    assert "circle" in refused[4]
    assert "itself" in refused[5]
    assert counts(deliver(rows, kind="referrals"))[2:] == (0, 0, 2)
    with tenant_scope(cast.tenant):
        first = Referral.objects.get(external_id="R1")
        assert (first.member_id, first.origin, first.note) == (cast.ann.pk, "import", "At the fair")
        assert Evidence.objects.filter(kind="referral", referred=first.customer).count() == 1
        assert Customer.objects.filter(referrals_made__isnull=False).distinct().count() == 1
