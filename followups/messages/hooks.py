"""What mail providers tell us (anymail's signals): what became of a mail, and mail that came in."""

from __future__ import annotations

from typing import Any

from anymail.signals import AnymailInboundEvent, AnymailTrackingEvent, inbound, tracking
from django.dispatch import receiver

from followups.messages.inbound import receive, tracked


@receiver(tracking, dispatch_uid="followups.tracking")
def note_tracking(event: AnymailTrackingEvent, **_kwargs: Any) -> None:
    """Hand on what became of a mail of ours; a provider's other mails carry no reference."""
    reference = (event.metadata or {}).get("perennial")
    if reference:
        soft = event.event_type == "bounced" and str(event.mta_response or "").startswith("4")
        said = " ".join(str(each) for each in (event.reject_reason, event.mta_response, event.description) if each)
        tracked(str(reference), "deferred" if soft else str(event.event_type), said=said)


@receiver(inbound, dispatch_uid="followups.messages.inbound")
def take_inbound(event: AnymailInboundEvent, **_kwargs: Any) -> None:
    """Put a mail that came in where it belongs."""
    mail = event.message
    receive(mail, recipients=[mail.envelope_recipient] if mail.envelope_recipient else [])
