"""What is going wrong, and what is done about it: the tables of risk, one module per idea."""

from risk.models.alerts import Alert, AlertEscalation, AlertRepeat, AnswerRole
from risk.models.cases import Case, CaseTerm
from risk.models.complaints import ComplaintNote, TopicHolder
from risk.models.incidents import (
    Incident,
    IncidentClock,
    IncidentCompensation,
    IncidentEntry,
    IncidentLink,
    IncidentPause,
    IncidentReport,
    IncidentSeat,
    IncidentStep,
)
from risk.models.playbooks import Playbook, PlaybookRun, PlaybookStep, PlaybookVersion
from risk.models.win_back import ReturnHistory, WinBack, WinBackTry

__all__ = [
    "Alert",
    "AlertEscalation",
    "AlertRepeat",
    "AnswerRole",
    "Case",
    "CaseTerm",
    "ComplaintNote",
    "Incident",
    "IncidentClock",
    "IncidentCompensation",
    "IncidentEntry",
    "IncidentLink",
    "IncidentPause",
    "IncidentReport",
    "IncidentSeat",
    "IncidentStep",
    "Playbook",
    "PlaybookRun",
    "PlaybookStep",
    "PlaybookVersion",
    "ReturnHistory",
    "TopicHolder",
    "WinBack",
    "WinBackTry",
]
