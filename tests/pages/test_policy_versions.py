"""It: the versions of the policy: listed, read in words, compared, brought back."""

import csv
import html
import io
import re

import pytest

from tenants.context import tenant_scope
from tenants.models import PolicyVersion
from tenants.policies import active_policy, complete_document, save_policy, switch_pack
from tests.pages.conftest import text

URL = "/acme/policy/versions/"
COMPARE = "/acme/policy/compare/"
EDITOR = "/acme/policy/"


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


def words(response):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text(response))).split())


def save(cast, note, *, pack="callback", **tiers):
    """A version with these lines of the tiers."""
    with tenant_scope(cast.tenant):
        document = switch_pack(complete_document(active_policy()), pack)
        document["tiers"] |= tiers
        return save_policy(document, pack=pack, note=note)


def lines(response):
    """The rows of the differences: setting, before, after."""
    rows = re.findall(r'<th scope="row" class="wrap">(.*?)</th><td class="wrap">(.*?)</td>'
                      r'<td class="wrap strong">(.*?)</td>', text(response))  # fmt: skip
    return [tuple(html.unescape(cell) for cell in row) for row in rows]


@pytest.mark.parametrize("who", ["ann", "lea", "eve", "ada"])
def test_lists_the_versions_newest_first_with_why_and_how_much(cast, sign_in, who):
    save(cast, "Stricter", gold_money_best=10, silver_best=30)
    save(cast, "Faster", grace_days=10)
    answer = sign_in(getattr(cast, who)).get(URL)
    page = text(answer)
    assert re.findall(r'versions/\d+/">(v\d+)<', page) == ["v3", "v2", "v1"]
    assert re.findall(r'compare/\?to=(\d)">(\d)<', page) == [("3", "1"), ("2", "2")]
    assert "Stricter" in page
    assert page.count("in force") == 1


def test_says_which_night_was_the_first(cast, lea, night):
    save(cast, "Before the night", grace_days=10)
    night()
    save(cast, "After it", grace_days=5)
    found = re.findall(r'/versions/(\d)/">v\d.*?<td class="num">.*?</td><td>(.*?)</td>', text(lea.get(URL)), re.DOTALL)
    told = {number: re.sub(r"<[^>]+>", "", cell) for number, cell in found}
    assert told == {"3": "the next one", "2": "20 Nov", "1": "none"}
    assert "first night 20 Nov" in words(lea.get(f"{URL}2/"))
    assert "no night has worked by it yet" in words(lea.get(f"{URL}3/"))


def test_offers_no_comparison_of_a_single_version(lea):
    page = text(lea.get(URL))
    assert 'type="radio"' not in page
    assert "v1" in page


def test_goes_on_to_older_ones(cast, lea):
    with tenant_scope(cast.tenant):
        document = complete_document(active_policy())
        PolicyVersion.objects.bulk_create(
            [PolicyVersion(number=number, pack="callback", document=document) for number in range(2, 55)]
        )
    page = text(lea.get(URL))
    assert len(re.findall(r'versions/\d+/">v', page)) == 50
    assert 'href="?before=5"' in page
    assert re.findall(r'versions/\d+/">(v\d+)<', text(lea.get(URL, {"before": "5"}))) == ["v4", "v3", "v2", "v1"]
    assert lea.get(URL, {"before": "x"}).status_code == 400


def test_gives_them_as_csv(cast, lea):
    save(cast, "=1+1", grace_days=10)
    answer = lea.get(URL, {"export": "csv"})
    head, *rows = csv.reader(io.StringIO(text(answer).removeprefix("\ufeff")))
    assert head == ["Version", "Pack", "Saved", "By whom", "Why", "Changes", "First night"]
    assert [(row[0], row[1], row[4], row[5]) for row in rows] == [
        ("2", "Call-backs", "'=1+1", "1"),
        ("1", "Call-backs", "", ""),
    ]


@pytest.mark.parametrize("who", ["ann", "lea", "eve", "ada"])
def test_reads_one_in_words(cast, sign_in, who):
    save(cast, "Faster", grace_days=10)
    client = sign_in(getattr(cast, who))
    page = words(client.get(f"{URL}1/"))
    assert "A tier falls only after days below the line 30 days" in page
    assert "Light touch 3 times a month" in page
    assert "1 → 100, 1.5 → 60, 2 → 30, 3 → 0" in page
    assert "18:00" in page
    assert ("Restore into the draft" in page) == (who in {"lea", "ada"})
    assert "Restore" not in words(client.get(f"{URL}2/"))
    assert "Faster" in words(client.get(f"{URL}2/"))


def test_does_not_know_a_version_that_was_never_saved(lea):
    assert lea.get(f"{URL}7/").status_code == 404
    assert lea.post(f"{URL}7/restore/").status_code == 404
    assert lea.get(COMPARE, {"to": "7"}).status_code == 404


# ── side by side ─────────────────────────────────────────────────────────────


def test_shows_only_what_differs_side_by_side(cast, lea):
    save(cast, "Stricter", gold_money_best=10)
    save(cast, "Faster", grace_days=10)
    assert lines(lea.get(COMPARE, {"from": "1", "to": "3"})) == [
        ("Gold: net money among the best", "15%", "10%"),
        ("A tier falls only after days below the line", "30 days", "10 days"),
    ]
    assert lines(lea.get(COMPARE, {"from": "3", "to": "1"}))[0] == ("Gold: net money among the best", "10%", "15%")
    assert lines(lea.get(COMPARE, {"to": "2"})) == [("Gold: net money among the best", "15%", "10%")]


def test_compares_other_packs_with_their_tiers_and_touches(cast, lea):
    save(cast, "New tiers", pack="wholesale")
    found = {setting: (before, after) for setting, before, after in lines(lea.get(COMPARE))}
    assert found["Tiers in force"] == ("Call-backs", "Wholesale")
    assert found["Gold: Light touch"] == ("3 times a month", "–")
    assert found["Strategic: Deep talk"] == ("–", "every month")
    assert found["Top tiers"] == ("Gold, Silver", "Strategic, Key")
    assert "pack “Call-backs” → “Wholesale”" in words(lea.get(COMPARE))


def test_compares_with_the_own_draft(cast, lea, sign_in):
    lea.post(EDITOR, {"section": "tiers", "tiers.grace_days": "7"})
    found = lines(lea.get(COMPARE, {"from": "1", "to": "draft"}))
    assert found == [("A tier falls only after days below the line", "30 days", "7 days")]
    assert "No differences" in text(sign_in(cast.ada).get(COMPARE, {"to": "draft"}))


def test_does_not_show_a_draft_to_who_cannot_have_one(cast, sign_in):
    ann = sign_in(cast.ann)
    assert ann.get(COMPARE, {"to": "draft"}).status_code == 400
    page = text(ann.get(COMPARE))
    assert 'value="draft"' not in page
    assert "Restore" not in page


def test_says_that_a_comparison_takes_numbers(lea):
    answer = lea.get(COMPARE, {"from": "x"})
    assert answer.status_code == 400
    assert "numbers of versions, not x" in text(answer)


# ── bringing one back ────────────────────────────────────────────────────────


def test_brings_an_older_version_into_the_draft_and_saves_it_as_a_new_one(cast, lea):
    save(cast, "Stricter", gold_money_best=10)
    save(cast, "Faster", grace_days=10)
    answer = lea.post(f"{URL}1/restore/", follow=True)
    assert "v1 is in the draft" in text(answer)
    assert "draft of v4, 2 changes" in words(answer)
    assert 'name="note" value="Back to v1"' in text(answer)
    with tenant_scope(cast.tenant):
        assert PolicyVersion.objects.count() == 3
    lea.post(f"{EDITOR}save/", {"section": "tiers", "note": "Back to v1"})
    with tenant_scope(cast.tenant):
        newest = PolicyVersion.objects.order_by("-number")[0]
        assert (newest.number, newest.note) == (4, "Back to v1")
        assert newest.document == PolicyVersion.objects.get(number=1).document


def test_brings_back_the_pack_of_the_version(cast, lea):
    save(cast, "New tiers", pack="wholesale")
    lea.post(f"{URL}1/restore/")
    lea.post(f"{EDITOR}save/", {"section": "tiers", "note": "Back"})
    with tenant_scope(cast.tenant):
        assert active_policy().pack == "callback"
        assert active_policy().number == 3


def test_opens_from_the_policy_that_pages_name(cast, sign_in, night):
    night()
    ann = sign_in(cast.ann)
    assert f'<a href="{URL}1/">policy v1</a>' in text(ann.get("/acme/customers/"))
    assert f'<a href="{URL}1/">policy v1</a>' in text(ann.get("/acme/today/"))
    assert f'<a href="{URL}' not in text(sign_in(cast.ian).get("/acme/customers/"))


def test_asks_the_database_no_more_for_more_versions(cast, lea, django_assert_max_num_queries):
    with tenant_scope(cast.tenant):
        document = complete_document(active_policy())
        PolicyVersion.objects.bulk_create(
            [PolicyVersion(number=number, pack="callback", document=document) for number in range(2, 42)]
        )
    lea.get(URL)
    with django_assert_max_num_queries(18):
        assert "v41" in text(lea.get(URL))
