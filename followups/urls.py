"""Pages of what to do next and what was said."""

from django.urls import URLPattern, path, re_path

from followups.calendar import views as calendar
from followups.care import views as care
from followups.cover import views as cover
from followups.cover import views_coverage as coverage
from followups.journeys import views as journeys
from followups.messages import views as messages
from followups.messages import views_channels as channels
from followups.notices import views as notices
from followups.quality import views as quality
from followups.scripts import views as scripts
from followups.surveys import views as surveys

urlpatterns: list[URLPattern] = [
    path("care/", care.CarePage.as_view(), name="care"),
    path("customers/<int:customer>/care/", care.CustomerCare.as_view(), name="customer-care"),
    path("customers/<int:customer>/care/add/", care.CareDayAdd.as_view(), name="care-day-add"),
    path("care/days/<int:pk>/", care.CareDayEdit.as_view(), name="care-day"),
    path("care/days/<int:pk>/delete/", care.CareDayDelete.as_view(), name="care-day-delete"),
    path("contacts/<int:pk>/care/", care.WishesEdit.as_view(), name="care-wishes"),
    path("coverage/", coverage.CoveragePage.as_view(), name="coverage"),
    path("coverage/rows/", coverage.CoverageRows.as_view(), name="coverage-rows"),
    path("coverage/year/", coverage.YearPage.as_view(), name="coverage-year"),
    path("cover/", cover.CoverPage.as_view(), name="cover"),
    path("cover/absences/add/", cover.AbsenceAdd.as_view(), name="absence-add"),
    path("cover/absences/<int:pk>/", cover.AbsenceEdit.as_view(), name="absence"),
    path("cover/absences/<int:pk>/end/", cover.AbsenceEnd.as_view(), name="absence-end"),
    path("cover/hand-over/", cover.HandOver.as_view(), name="hand-over"),
    path("cover/owners/", cover.OwnerChanges.as_view(), name="owner-changes"),
    path("today/calendar/", calendar.Calendar.as_view(), name="calendar"),
    path("today/calendar/<int:pk>/move/", calendar.CalendarMove.as_view(), name="calendar-move"),
    path("today/calendar/undo/", calendar.CalendarUndo.as_view(), name="calendar-undo"),
    path("today/calendar/feed/", calendar.Feed.as_view(), name="calendar-feed"),
    path("today/<int:pk>/script/", scripts.ScriptForFollowUp.as_view(), name="script-for"),
    path("scripts/", scripts.ScriptLibrary.as_view(), name="scripts"),
    path("scripts/add/", scripts.ScriptAdd.as_view(), name="script-add"),
    path("scripts/<int:pk>/", scripts.ScriptPage.as_view(), name="script"),
    path("scripts/<int:pk>/edit/", scripts.ScriptEdit.as_view(), name="script-edit"),
    path("scripts/<int:pk>/wordings/add/", scripts.WordingAdd.as_view(), name="wording-add"),
    path("scripts/wordings/<int:pk>/edit/", scripts.WordingEdit.as_view(), name="wording-edit"),
    path("scripts/wordings/<int:pk>/retire/", scripts.WordingRetire.as_view(), name="wording-retire"),
    path("surveys/", surveys.Surveys.as_view(), name="surveys"),
    path("surveys/answers/", surveys.Answers.as_view(), name="surveys-answers"),
    path("surveys/asked/", surveys.Asked.as_view(), name="surveys-asked"),
    path("surveys/accounts/", surveys.Accounts.as_view(), name="surveys-accounts"),
    path("surveys/loops/<int:pk>/", surveys.SurveyLoopPage.as_view(), name="survey-loop"),
    path("customers/<int:customer>/survey/", surveys.SurveyAsk.as_view(), name="survey-ask"),
    path("quality/", quality.Reviews.as_view(), name="quality"),
    path("quality/<int:pk>/", quality.Review.as_view(), name="quality-review"),
    path("quality/people/", quality.People.as_view(), name="quality-people"),
    path("quality/mystery/", quality.Visits.as_view(), name="quality-mystery"),
    path("quality/mystery/add/", quality.VisitAdd.as_view(), name="mystery-visit-add"),
    path("quality/mystery/<int:pk>/", quality.VisitEdit.as_view(), name="mystery-visit"),
    path("notices/", notices.Notices.as_view(), name="notices"),
    path("notices/<int:pk>/open/", notices.NoticeOpen.as_view(), name="notice-open"),
    path("notices/wishes/", notices.Wishes.as_view(), name="notice-wishes"),
    path("notices/chat/", notices.ChatEdit.as_view(), name="notice-chat"),
    path("messages/", messages.MessageList.as_view(), name="messages"),
    path("messages/<int:pk>/", messages.MessagePage.as_view(), name="message"),
    re_path(
        r"^messages/(?P<pk>[0-9]+)/(?P<verb>cancel|again|confirm)/$", messages.MessageDo.as_view(), name="message-do"
    ),
    path("customers/<int:customer>/write/", messages.MessageWrite.as_view(), name="message-write"),
    path("contacts/<int:pk>/reach/", messages.ContactReach.as_view(), name="contact-reach"),
    path("contacts/<int:pk>/wishes/", messages.WishesEdit.as_view(), name="wishes"),
    path("contacts/<int:pk>/opt-out/", messages.OptOutAdd.as_view(), name="opt-out-add"),
    path("contacts/<int:pk>/opt-out/end/", messages.OptOutEnd.as_view(), name="opt-out-end"),
    path("contacts/<int:pk>/address/", messages.AddressRevive.as_view(), name="address-revive"),
    path("channels/", channels.ChannelList.as_view(), name="channels"),
    path("channels/<str:channel>/", channels.ChannelEdit.as_view(), name="channel"),
    path("channels/<str:channel>/trial/", channels.ChannelTrial.as_view(), name="channel-trial"),
    path("journeys/", journeys.JourneyList.as_view(), name="journeys"),
    path("journeys/add/", journeys.JourneyAdd.as_view(), name="journey-add"),
    path("journeys/announce/", journeys.Announce.as_view(), name="journey-announce"),
    path("journeys/duties/", journeys.Duties.as_view(), name="journey-duties"),
    path("journeys/people/", journeys.EnrolmentList.as_view(), name="enrolments"),
    path("journeys/people/<int:pk>/out/", journeys.TakeOut.as_view(), name="enrolment-out"),
    path("journeys/<int:pk>/", journeys.JourneyPage.as_view(), name="journey"),
    path("journeys/<int:pk>/edit/", journeys.JourneyEdit.as_view(), name="journey-edit"),
    path("journeys/<int:pk>/switch/", journeys.JourneySwitch.as_view(), name="journey-switch"),
]
