"""E-mail by whatever Django sends it with: a mail server, or a provider through anymail."""

from __future__ import annotations

import re
import smtplib
from email.utils import formataddr, parseaddr
from typing import Any, Final

import requests
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from followups.messages.sending.parcels import NotSent, Parcel, Receipt, Unclear

MESSAGE_ID: Final = re.compile(r"<pn\.([0-9a-z-]+)@[^<>\s]+>", re.IGNORECASE)
"""A Message-ID of ours, with the reference in it."""

_BUSY: Final = frozenset({429, 503})
_MAY_HAVE_WORKED: Final = frozenset({500, 502, 504})
_NO_SUCH_ADDRESS: Final = frozenset({550, 551, 553, 556, 521})
_BAD_ADDRESS_CLASS: Final = re.compile(r"\b5\.1\.\d+\b")
_OUR_FAULT: Final = re.compile(r"\b5\.7\.\d+\b")  # refused by policy: spam, authentication, not the address


def message_id(reference: str) -> str:
    """The Message-ID of the mail of a reference: the same however often it is made, so servers see the doublet."""
    domain = settings.MAIL_REPLY_DOMAIN or parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition("@")[2] or "localhost"
    return f"<pn.{reference}@{domain}>"


class MailSender:
    """Hands mails to the installation's server, over one connection."""

    def __init__(self) -> None:
        self._connection: Any = get_connection()

    def send(self, parcel: Parcel) -> Receipt:
        """Raises NotSent or Unclear."""
        mail = _mail(parcel)
        mail.connection = self._connection
        if isinstance(self._connection, SMTPBackend):
            return self._by_smtp(mail, parcel)
        return self._by_provider(mail)

    def close(self) -> None:
        try:
            self._connection.close()
        except (smtplib.SMTPException, OSError):
            # What was taken was taken; a server that is gone needs no good-bye.
            self._forget()

    def _forget(self) -> None:
        if isinstance(self._connection, SMTPBackend):
            line, self._connection.connection = self._connection.connection, None
            if line is not None:
                smtplib.SMTP.close(line)

    def _by_smtp(self, mail: EmailMessage, parcel: Parcel) -> Receipt:
        was_open = self._connection.connection is not None
        try:
            self._open()
            self._connection.send_messages([mail])
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise _refused(code, _text(words), of_address=True) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            if error.smtp_code == 421:  # "closing the line": many servers take only so many mails over one
                self._forget()
            raise _refused(error.smtp_code, _text(error.smtp_error), of_address=False) from error
        except smtplib.SMTPNotSupportedError as error:
            raise NotSent(str(error), why="refused") from error
        except (smtplib.SMTPException, OSError) as error:
            underway = bool(getattr(self._connection, "is_underway", True))
            self._forget()
            if underway:
                raise Unclear(_said(error)) from error
            if was_open:  # a line that was idle may have been closed on the other side
                return self._by_smtp(mail, parcel)
            raise NotSent(_said(error), why="server_down", again=True, is_down=True) from error
        except (UnicodeError, ValueError) as error:  # an address or a header that cannot be written
            raise NotSent(_said(error), why="bad_address") from error
        return Receipt(message_id(parcel.reference))

    def _open(self) -> None:
        """Opens the line if it is not. Raises NotSent: whatever fails here, no text has left."""
        try:
            self._connection.open()
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(_said(error), why="server_login", again=True, is_down=True) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(_said(error), why="server_down", again=True, is_down=True) from error

    def _by_provider(self, mail: EmailMessage) -> Receipt:
        try:
            mail.send()
        except AnymailRecipientsRefused as error:
            raise NotSent(str(error), why="refused", is_dead="invalid" in str(error).lower()) from error
        except AnymailAPIError as error:
            raise _of_provider(error) from error
        except AnymailError as error:
            raise NotSent(str(error), why="refused") from error
        except (UnicodeError, ValueError) as error:
            raise NotSent(_said(error), why="bad_address") from error
        except OSError as error:
            raise NotSent(_said(error), why="server_down", again=True, is_down=True) from error
        status = getattr(mail, "anymail_status", None)
        return Receipt(str(getattr(status, "message_id", None) or mail.extra_headers["Message-ID"])[:200])


def _of_provider(error: AnymailAPIError) -> NotSent | Unclear:
    if error.status_code is None:
        cause = error.__cause__ or error
        if isinstance(cause, requests.ConnectTimeout) or (
            isinstance(cause, requests.ConnectionError) and "NewConnectionError" in str(cause)
        ):
            return NotSent(str(error), why="server_down", again=True, is_down=True)
        return Unclear(str(error))
    if error.status_code in _BUSY:
        return NotSent(str(error), why="server_busy", again=True, is_down=True)
    if error.status_code in _MAY_HAVE_WORKED:
        return Unclear(str(error))
    if error.status_code in (401, 403):
        return NotSent(str(error), why="server_login", again=True, is_down=True)
    return NotSent(str(error), why="refused")


def _refused(code: int, words: str, *, of_address: bool) -> NotSent:
    """What a server's refusal means: 4xx is for now, 5xx for good."""
    said = f"{code} {words}"
    if code < 500:
        return NotSent(said, why="server_busy", again=True)
    dead = of_address and not _OUR_FAULT.search(words)
    dead = dead and (code in _NO_SUCH_ADDRESS or bool(_BAD_ADDRESS_CLASS.search(words)))
    return NotSent(said, why="dead_address" if dead else "refused", is_dead=dead)


def _mail(parcel: Parcel) -> EmailMessage:
    shown = formataddr((parcel.from_name, parcel.from_address)) if parcel.from_name else parcel.from_address
    headers = {"Message-ID": message_id(parcel.reference), "From": shown}
    if parcel.unsubscribe:
        headers |= {
            "List-Unsubscribe": f"<{parcel.unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    if parcel.is_automatic:
        headers["Auto-Submitted"] = "auto-generated"
    if parcel.language:
        headers["Content-Language"] = parcel.language
    # The envelope's sender is where bounces go; people see the firm's address.
    bounces = bounce_address(parcel.reference) or parcel.from_address
    mail = EmailMessage(
        subject=parcel.subject,
        body=parcel.text,
        from_email=bounces if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") else shown,
        to=[formataddr((parcel.to_name, parcel.address))],
        reply_to=[parcel.reply_to] if parcel.reply_to else None,
        headers=headers if settings.EMAIL_BACKEND.startswith(("django.", "followups.")) else _without_from(headers),
    )
    for file in parcel.attachments:
        mail.attach(file.name, file.content, file.content_type)
    # What anymail's webhooks hand back with every event.
    mail.metadata = {"perennial": parcel.reference}  # type: ignore[attr-defined]  # anymail's own attribute
    return mail


def _without_from(headers: dict[str, str]) -> dict[str, str]:
    """A provider takes the sender from the mail itself."""
    return {name: value for name, value in headers.items() if name != "From"}


def reply_address(reference: str) -> str:
    """Where an answer finds its message; "" where the installation receives no mail."""
    return f"r+{reference}@{settings.MAIL_REPLY_DOMAIN}" if settings.MAIL_REPLY_DOMAIN else ""


def bounce_address(reference: str) -> str:
    """Where a mail that comes back finds its message; "" as above."""
    return f"b+{reference}@{settings.MAIL_REPLY_DOMAIN}" if settings.MAIL_REPLY_DOMAIN else ""


def _text(words: Any) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
