"""The kinds of notices that the crisis room sends; imported when the programme starts."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from followups.notices.kinds import register
from risk.incidents import words

register("incident.opened", _("A crisis is opened"), words.opened_notice, mail="at_once", chat=True)
register("incident.level", _("A crisis has another level"), words.level_notice, mail="at_once", chat=True)
register("incident.breached", _("A clock of a crisis has run out"), words.breached_notice, mail="at_once", chat=True)
register("incident.seat", _("You are named in the team of a crisis"), words.seat_notice, mail="at_once", chat=True)
register("incident.step", _("A step of a crisis is handed to you"), words.step_notice, mail="at_once", chat=True)
register("incident.approval", _("A compensation waits for you"), words.approval_notice, mail="at_once", chat=True)
register("incident.decided", _("A compensation is decided"), words.decided_notice, mail="daily", chat=True)
