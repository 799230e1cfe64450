"""Django's SMTP, which also says whether the text of a mail was on its way when the line broke."""

from __future__ import annotations

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend


class _Phases:
    """Notes when the text begins: from then on a broken line leaves open whether the server took it."""

    is_underway = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        """As smtplib's; a refusal of the command or of the text is an answer, so nothing is open then."""
        self.is_underway = True
        try:
            answer: tuple[int, bytes] = super().data(msg)  # type: ignore[misc]  # of the class it is mixed into
        except smtplib.SMTPDataError:
            self.is_underway = False
            raise
        self.is_underway = False
        return answer


class _SMTP(_Phases, smtplib.SMTP):
    pass


class _SMTPS(_Phases, smtplib.SMTP_SSL):
    pass


class EmailBackend(DjangoBackend):
    """`is_underway`: the text of the last mail had begun to leave, and no answer to it came."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SMTPS if self.use_ssl else _SMTP

    @property
    def is_underway(self) -> bool:
        return bool(getattr(self.connection, "is_underway", False))
