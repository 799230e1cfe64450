"""WeChat Work, DingTalk, Feishu and SMS through a real HTTP server; and addresses that must not be called."""

from __future__ import annotations

import pytest
import requests

from followups.messages import channels
from followups.messages.sending.gateways import BadGateway, GatewaySender, asks_for, scheme_of
from followups.messages.sending.parcels import NotSent, Parcel, Receipt, Unclear
from followups.models import ChannelSetup
from tenants.outgoing import ForbiddenAddress, GuardedAdapter, check_host, check_url
from tenants.secrets import unseal
from tests.followups.post import gateway

PARCEL = Parcel(
    message_id=1,
    reference="1-1-x",
    address="+441632960001",
    to_name="Mei",
    subject="New tiles",
    text="They are here.",
    fields={"phone": "+441632960001", "wechat": "wx_mei", "email": ""},
)


@pytest.fixture
def post(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with gateway() as said:
        yield said


@pytest.mark.parametrize(
    ("url", "path", "text"),
    [
        ("wecombot://abcdef-123", "/cgi-bin/webhook/send?key=abcdef-123", lambda body: body["text"]["content"]),
        ("dingtalk://secret@abc123/{phone}", "/robot/send?access_token=abc123", lambda body: body["text"]["content"]),
        ("feishu://abc123", "/open-apis/bot/v2/hook/abc123/", lambda body: body["content"]["text"]),
    ],
)
def test_it_posts_to_a_server_of_the_firms_own(post, url, path, text):
    assert isinstance(GatewaySender(url, post.url).send(PARCEL), Receipt)
    (asked,) = post.asked
    assert asked["path"].startswith(path)
    assert "They are here." in text(asked["body"])
    assert "New tiles" in text(asked["body"])


def test_it_fills_in_the_number_of_the_contact(post):
    url = f"json://{post.url.removeprefix('http://')}/sms?:to={{phone}}"
    GatewaySender(url).send(PARCEL)
    assert post.asked[0]["body"]["to"] == "+441632960001"
    assert post.asked[0]["body"]["message"] == "They are here."


@pytest.mark.parametrize(
    ("status", "body", "why", "again"),
    [
        (200, '{"errcode": 93000, "errmsg": "invalid webhook url"}', "refused", False),
        (200, '{"errcode": 45009, "errmsg": "api freq out of limit"}', "server_busy", True),
        (200, '{"code": 19001, "msg": "param invalid"}', "refused", False),
        (403, "no", "server_login", True),
        (404, "no", "refused", False),
        (429, "slowly", "server_busy", True),
        (503, "later", "server_busy", True),
    ],
)
def test_it_hears_a_no_also_inside_a_200(post, status, body, why, again):
    post.status, post.body = status, body
    with pytest.raises(NotSent) as refused:
        GatewaySender("wecombot://abcdef-123", post.url).send(PARCEL)
    assert (refused.value.why, refused.value.again) == (why, again)


def test_it_does_not_know_what_came_of_a_line_that_broke(post):
    post.hang_up = True
    with pytest.raises(Unclear):
        GatewaySender("wecombot://abcdef-123", post.url).send(PARCEL)
    assert len(post.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_it_does_not_know_what_a_broken_gateway_has_done(post, status):
    post.status = status
    with pytest.raises(Unclear):
        GatewaySender("wecombot://abcdef-123", post.url).send(PARCEL)


def test_it_knows_that_nothing_left_when_nobody_listens(settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with pytest.raises(NotSent) as refused:
        GatewaySender("wecombot://abcdef-123", "http://127.0.0.1:1").send(PARCEL)
    assert (refused.value.why, refused.value.again, refused.value.is_down) == ("server_down", True, True)


def test_it_does_not_call_into_the_houses_own_network(post, settings):
    settings.OUTGOING_ALLOW = []
    with pytest.raises(NotSent) as refused:
        GatewaySender("wecombot://abcdef-123", post.url).send(PARCEL)
    assert refused.value.why == "forbidden"
    assert post.asked == []


def test_it_does_not_follow_a_redirect_into_the_houses_own_network(post, settings):
    with gateway() as inside:
        settings.OUTGOING_ALLOW = ["front.example"]  # the first hop is allowed by its name alone
        post.status, post.location = 307, f"{inside.url}/secret"
        session = requests.Session()
        session.mount("http://", GuardedAdapter())
        settings.OUTGOING_ALLOW = ["127.0.0.1"]
        first = session.post(post.url, data="x", allow_redirects=False)
        settings.OUTGOING_ALLOW = []
        with pytest.raises(requests.ConnectionError):
            session.send(first.next)
        assert inside.asked == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.8", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1",  # noqa: S104
     "64:ff9b::a00:1", "2002:7f00:1::", "fd00::1", "fe80::1", "224.0.0.1", "localhost", "2130706433", "0x7f.1"],
)  # fmt: skip
def test_it_takes_no_address_that_is_not_public(settings, host):
    settings.OUTGOING_ALLOW = []
    with pytest.raises(ForbiddenAddress):
        check_host(host, 443)


@pytest.mark.parametrize("host", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_it_takes_a_public_address(settings, host):
    settings.OUTGOING_ALLOW = []
    assert check_host(host, 443) == [host]


@pytest.mark.parametrize("url", ["ftp://93.184.215.14/", "file:///etc/passwd", "http://", "gopher://93.184.215.14"])
def test_it_takes_no_other_kind_of_address(url):
    with pytest.raises(ValueError, match=r".*"):
        check_url(url)


# ── setting a channel up ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "mailto://a:b@example.com", "nothing", "syslog://", "wecombot://"]
)
def test_it_takes_only_gateways_that_the_channel_has(url):
    with pytest.raises(BadGateway):
        scheme_of("wechat", url)


def test_it_knows_the_address_that_the_maker_shows():
    assert scheme_of("wechat", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abcdef-123") == "wecombot"


def test_it_refuses_a_place_that_no_fact_fills():
    assert asks_for("clickatell://KEY/{phone}") == ["phone"]
    with pytest.raises(BadGateway, match="fax"):
        asks_for("clickatell://KEY/{fax}")


def test_it_keeps_the_keys_encrypted_and_out_of_the_log(scope):
    from tenants.models import Event

    channels.save_gateway(channel="sms", is_on=True, gateway="clickatell://TOPSECRET/{phone}")
    row = ChannelSetup.objects.get(channel="sms")
    assert "TOPSECRET" not in row.gateway
    assert unseal(row.gateway) == "clickatell://TOPSECRET/{phone}"
    assert (row.gateway_name, row.asks_for) == ("clickatell", ["phone"])
    assert "TOPSECRET" not in str(list(Event.objects.values_list("changes", flat=True)))
    channels.save_gateway(channel="sms", is_on=False)
    assert unseal(ChannelSetup.objects.get(channel="sms").gateway) == "clickatell://TOPSECRET/{phone}"


def test_it_says_that_the_keys_must_be_entered_again_after_a_new_secret_key(scope, settings):
    from followups.messages.sending.work import sender_of

    channels.save_gateway(channel="sms", is_on=True, gateway="clickatell://TOPSECRET/{phone}")
    row = ChannelSetup.objects.get(channel="sms")
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [old]
    assert sender_of("sms", row)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(NotSent) as refused:
        sender_of("sms", row)
    assert refused.value.why == "bad_gateway"
