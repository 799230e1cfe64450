"""The command that reads mail: files, mailboxes and folders; twice is once, and strangers stay where they are."""

from __future__ import annotations

import io
import json
import mailbox

import pytest
from django.core.management import CommandError, call_command

from customers.models import Interaction
from tests.followups.test_inbound import answer, sent  # noqa: F401  # a fixture


@pytest.fixture(autouse=True)
def _domain(settings):
    settings.MAIL_REPLY_DOMAIN = "in.perennial.example"


def read(*places, **options):
    out = io.StringIO()
    call_command("read_mail", *map(str, places), stdout=out, **options)
    return json.loads(out.getvalue())


@pytest.fixture
def mails(sent):  # noqa: F811  # the fixture above
    """An answer, and a mail that has nothing to do with us."""
    return answer(sent), answer(sent, To="office@acme.example", Message_ID="<other@huaxin.example>")


def test_it_reads_a_file(mails, tmp_path):
    path = tmp_path / "one.eml"
    path.write_bytes(mails[0].as_bytes())
    assert read(path) == {"answer": 1}
    assert read(path) == {"known": 1}
    assert Interaction.objects.filter(source="mail").count() == 1


def test_it_reads_a_mailbox(mails, tmp_path):
    box = mailbox.mbox(tmp_path / "box")
    for mail in mails:
        box.add(mail)
    box.close()
    assert read(tmp_path / "box") == {"answer": 1, "stray": 1}


def test_it_reads_a_folder_and_leaves_strangers_there(mails, tmp_path):
    box = mailbox.Maildir(tmp_path / "Maildir")
    for mail in mails:
        box.add(mail)
    assert read(tmp_path / "Maildir") == {"answer": 1, "stray": 1}
    assert len(list((tmp_path / "Maildir" / "new").iterdir())) == 1
    assert len(list((tmp_path / "Maildir" / "cur").iterdir())) == 1
    assert read(tmp_path / "Maildir") == {"stray": 1}


def test_it_says_that_there_is_no_such_place(db, tmp_path):
    with pytest.raises(CommandError, match="There is no mail in"):
        read(tmp_path / "nowhere")
