"""What to do next and what was said: one module per idea, all of them here by name."""

from followups.models.care import By, CareDay, CareWishes
from followups.models.cover import Absence, CoverMove
from followups.models.follow_ups import FollowUp
from followups.models.journeys import Announcement, DutyHolder, Enrolment, Journey, JourneyStep
from followups.models.messages import ChannelSetup, ContactWishes, DeadAddress, Message, OptOut
from followups.models.notices import Notice, NoticeChat, NoticeDelivery, NoticeWish
from followups.models.quality import MysteryVisit, Problem, QualityReview, QualitySample
from followups.models.queue import Bulk, BulkItem, CalendarFeed, Desk
from followups.models.scripts import Script, ScriptUse, ScriptVariant
from followups.models.surveys import Reason, Survey, SurveyLoop, SurveyReason

__all__ = [
    "Absence",
    "Announcement",
    "Bulk",
    "BulkItem",
    "By",
    "CalendarFeed",
    "CareDay",
    "CareWishes",
    "ChannelSetup",
    "ContactWishes",
    "CoverMove",
    "DeadAddress",
    "Desk",
    "DutyHolder",
    "Enrolment",
    "FollowUp",
    "Journey",
    "JourneyStep",
    "Message",
    "MysteryVisit",
    "Notice",
    "NoticeChat",
    "NoticeDelivery",
    "NoticeWish",
    "OptOut",
    "Problem",
    "QualityReview",
    "QualitySample",
    "Reason",
    "Script",
    "ScriptUse",
    "ScriptVariant",
    "Survey",
    "SurveyLoop",
    "SurveyReason",
]
