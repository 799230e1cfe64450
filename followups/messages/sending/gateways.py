"""WeChat Work, DingTalk, Feishu, SMS and a firm's own gateway, by apprise: one address says which, and holds the keys.

apprise says only whether it thinks that it worked, and takes every 200 for a yes; WeChat Work, DingTalk and Feishu say
no in the text of a 200. So the answers themselves are looked at (`tenants.outgoing.guarded`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from apprise import Apprise, AppriseAsset, NotifyBase
from apprise.common import PersistentStoreMode
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followups.messages.sending.parcels import NotSent, Parcel, Receipt, Unclear
from tenants.outgoing import Call, guarded

FIELDS: Final = ("phone", "wechat", "email")
"""Facts of a contact that a gateway's address may ask for: {phone}."""


@dataclass(frozen=True)
class Kind:
    """A gateway that there is: what it is called, an example of its address, and what hosts it calls by itself."""

    title: str | Promise
    example: str


_OWN: Final = gettext_lazy("Own gateway (JSON)")

KINDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "wechat": {
        "wecombot": Kind(gettext_lazy("WeChat Work, a group's bot"), "wecombot://BOT-KEY"),
        "jsons": Kind(_OWN, "jsons://gateway.example.com/send?:to={wechat}"),
        "json": Kind(_OWN, "json://gateway.example.com/send?:to={wechat}"),
    },
    "app": {
        "dingtalk": Kind(gettext_lazy("DingTalk, a group's bot"), "dingtalk://SECRET@TOKEN/{phone}"),
        "feishu": Kind(gettext_lazy("Feishu, a group's bot"), "feishu://TOKEN"),
        "lark": Kind(gettext_lazy("Lark, a group's bot"), "lark://TOKEN"),
        "jsons": Kind(_OWN, "jsons://gateway.example.com/push?:to={phone}"),
        "json": Kind(_OWN, "json://gateway.example.com/push?:to={phone}"),
    },
    "sms": {
        "twilio": Kind("Twilio", "twilio://SID:TOKEN@+441632960000/{phone}"),
        "vonage": Kind("Vonage", "vonage://KEY:SECRET@FROM/{phone}"),
        "plivo": Kind("Plivo", "plivo://ID:TOKEN@FROM/{phone}"),
        "sinch": Kind("Sinch", "sinch://PLAN:TOKEN@FROM/{phone}"),
        "clickatell": Kind("Clickatell", "clickatell://KEY/{phone}"),
        "clicksend": Kind("ClickSend", "clicksend://USER:KEY@{phone}"),
        "bulksms": Kind("BulkSMS", "bulksms://USER:PASSWORD@{phone}"),
        "msg91": Kind("MSG91", "msg91://TEMPLATE@KEY/{phone}"),
        "seven": Kind("seven", "seven://KEY/{phone}"),
        "jsons": Kind(_OWN, "jsons://gateway.example.com/sms?:to={phone}"),
        "json": Kind(_OWN, "json://gateway.example.com/sms?:to={phone}"),
    },
}
"""By channel, the gateways that may be set up for it, by the scheme of their address."""

_HOLE: Final = re.compile(r"\{([^{}]*)\}")
_BUSY: Final = frozenset({429, 503})
_MAY_HAVE_WORKED: Final = frozenset({500, 502, 504})
_LATER: Final = frozenset({45009, -1, 130101, 9499, 11232})
"""Codes by which WeChat Work, DingTalk and Feishu say: too many just now, or busy."""

_ENDPOINTS: Final = ("notify_url", "api_url", "webhook_url")
"""Where apprise's plugins keep the address of their maker's server."""


class BadGateway(ValueError):
    """A gateway's address that cannot be used; says why, in the reader's language."""


def scheme_of(channel: str, url: str) -> str:
    """The scheme of a gateway's address, which is one that the channel has.

    Raises BadGateway otherwise.
    """
    plugin = _plugin(url, dict.fromkeys(FIELDS, "10000000000"))
    schemes = plugin.secure_protocol if isinstance(plugin.secure_protocol, tuple) else (plugin.secure_protocol,)
    said = url.partition(":")[0].lower()
    scheme = said if said in KINDS[channel] else str(schemes[0])
    if scheme not in KINDS[channel]:
        known = ", ".join(dict.fromkeys(str(kind.title) for kind in KINDS[channel].values()))
        raise BadGateway(_("This channel has no such gateway. There are: %(known)s.") % {"known": known})
    return scheme


def asks_for(url: str) -> list[str]:
    """The facts of a contact that the address asks for.

    Raises BadGateway for one that does not exist.
    """
    holes = list(dict.fromkeys(_HOLE.findall(url)))
    for hole in holes:
        if hole not in FIELDS:
            fields = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise BadGateway(_("There is no {%(hole)s}; there are: %(fields)s.") % {"hole": hole, "fields": fields})
    return holes


def _plugin(url: str, fields: Mapping[str, str]) -> NotifyBase:
    filled = _HOLE.sub(lambda found: quote(fields.get(found[1], ""), safe=""), url)
    asset = AppriseAsset(storage_mode=PersistentStoreMode.MEMORY, app_id="Perennial", app_desc="Perennial")
    plugin = Apprise.instantiate(filled, asset=asset, suppress_exceptions=True)
    if plugin is None or not isinstance(plugin, NotifyBase):
        raise BadGateway(_("This is not the address of a gateway."))
    return plugin


class GatewaySender:
    """Hands messages to one gateway: `url` its address with the keys, `server` where it is instead of its maker's."""

    def __init__(self, url: str, server: str = "") -> None:
        self._url, self._server = url, server

    def send(self, parcel: Parcel) -> Receipt:
        """Raises NotSent or Unclear."""
        try:
            plugin = _plugin(self._url, parcel.fields)
        except BadGateway as error:
            raise NotSent(str(error), why="bad_gateway") from error
        plugin.socket_read_timeout = plugin.socket_connect_timeout = 20.0
        plugin.request_rate_per_sec = 0
        if self._server:
            _lead_to(plugin, self._server)
        with guarded() as calls:
            worked = plugin.notify(body=parcel.text, title=parcel.subject)
        return _what_came(calls, worked=bool(worked))

    def close(self) -> None:
        """Every call has a line of its own."""


def _lead_to(plugin: NotifyBase, server: str) -> None:
    """Have a plugin call a server of the firm's own: the path stays that of the maker's."""
    base = server.rstrip("/")
    for name in _ENDPOINTS:
        address = getattr(plugin, name, None)
        if isinstance(address, str) and address.startswith("http"):
            parts = urlsplit(address)
            setattr(plugin, name, base + address[len(f"{parts.scheme}://{parts.netloc}") :])


def _what_came(calls: list[Call], *, worked: bool) -> Receipt:
    if not calls:
        raise NotSent(_("Nothing was sent: the gateway's address does not fit the contact."), why="bad_gateway")
    call = calls[-1]
    if call.response is None:
        said = str(call.error)
        if "is not a public address" in said:
            raise NotSent(said, why="forbidden")
        if call.never_left:
            raise NotSent(said, why="server_down", again=True, is_down=True)
        raise Unclear(said)
    status, text = call.response.status_code, call.response.text[:500]
    said = f"{status} {text}".strip()
    if status in _BUSY:
        raise NotSent(said, why="server_busy", again=True, is_down=True)
    if status in _MAY_HAVE_WORKED:
        raise Unclear(said)
    if status >= 300:
        raise NotSent(said, why="server_login" if status in (401, 403) else "refused", again=status in (401, 403))
    code, name = _answer(text)
    if code:
        raise NotSent(said, why="server_busy" if code in _LATER else "refused", again=code in _LATER)
    if not worked:
        raise NotSent(said, why="refused")
    return Receipt(name, said)


def _answer(text: str) -> tuple[int, str]:
    """The code by which a gateway says no inside a 200 (0: it says yes), and what it calls the message."""
    try:
        said: Any = json.loads(text)
    except ValueError:
        return 0, ""
    if not isinstance(said, dict):
        return 0, ""
    codes = (said.get(key) for key in ("errcode", "code", "StatusCode"))
    code = next((each for each in codes if isinstance(each, int) and not isinstance(each, bool)), 0)
    name = next((str(said[key]) for key in ("msgid", "sid", "message_id", "id") if said.get(key)), "")
    return (0 if code == 200 else code), name[:200]
