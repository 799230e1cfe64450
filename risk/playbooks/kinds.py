"""What playbooks tell members by a notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.notices.kinds import Kind, register
from followups.shipped_names import PLAYBOOKS


def _handed(params: Mapping[str, Any]) -> str:
    code = str(params["code"])
    playbook = str(params.get("name") or PLAYBOOKS.get(code, code))
    words = _("%(who)s handed you “%(playbook)s” for %(customer)s")
    return words % {"who": params["who"], "playbook": playbook, "customer": params["customer"]}


HANDED: Final[Kind] = register("playbook-handed", gettext_lazy("A playbook is handed to me"), _handed, mail="at_once")
