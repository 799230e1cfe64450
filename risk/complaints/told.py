"""What members are told about complaints: that one is theirs, and that a step's clock has run out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Complaint
from followups.notices import kinds
from followups.notices.services import notify
from tenants.models import Member

YOURS: Final = "complaint_yours"
LATE: Final = "complaint_late"


def _yours(params: Mapping[str, Any]) -> str:
    return _("A complaint of %(customer)s is yours: %(topic)s") % {
        "customer": params["customer"], "topic": params["topic"],
    }  # fmt: skip


def _late(params: Mapping[str, Any]) -> str:
    said = {
        "apologise": _("nobody has apologised yet"),
        "promise": _("no time has been promised yet"),
        "solve": _("it is not solved in time"),
        "call_back": _("nobody has called back yet"),
    }
    return _("Complaint of %(customer)s, %(topic)s: %(what)s") % {
        "customer": params["customer"], "topic": params["topic"], "what": said[params["step"]],
    }  # fmt: skip


kinds.register(YOURS, gettext_lazy("A complaint is handed to you"), _yours, mail="at_once")
kinds.register(LATE, gettext_lazy("A complaint’s clock has run out"), _late, mail="at_once", chat=True)


def tell_holder(complaint: Complaint, member: Member) -> None:
    """Tell who looks after it from now on, once."""
    key = f"complaint:{complaint.pk}:yours:{complaint.routed_at:%Y%m%d%H%M%S}"
    params = {"customer": complaint.customer.name, "topic": complaint.topic}
    notify(members=[member], kind=YOURS, key=key, params=params, url=f"complaints/{complaint.pk}/")


def tell_late(complaint: Complaint, step: str, members: Iterable[Member]) -> None:
    """Tell who looks after it, and whoever stands above, once for a step and round."""
    notify(
        members=members,
        kind=LATE,
        key=f"complaint:{complaint.pk}:late:{step}:{complaint.reopened}",
        params={"customer": complaint.customer.name, "topic": complaint.topic, "step": step},
        url=f"complaints/{complaint.pk}/",
    )
