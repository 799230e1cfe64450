"""A member's own notices: the list behind the bell, and how they wish to hear of what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from followups.models import Notice, NoticeDelivery, NoticeWish
from followups.notices import services
from tenants.filters import id_number
from tenants.pages import FormPage, TenantView

SHOWN = 50
"""Notices on a page."""


class ListForm(forms.Form):
    """Which of one's notices: all, or those that are not read; `before` goes on below a notice."""

    only = forms.ChoiceField(choices=[("unread", "unread")], required=False)
    before = forms.IntegerField(min_value=1, required=False)


class Notices(TenantView):
    """What the member has been told, the newest first; POST marks some or all of it read."""

    permission = "notices:read"
    write_permission = "notices:write"
    nav = "notices"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        asked = self.parameters(ListForm)
        rows = services.notices_of(self.member)
        if asked["only"]:
            rows = rows.filter(read_at__isnull=True)
        if asked["before"]:
            rows = rows.filter(pk__lt=asked["before"])
        found = list(rows.order_by("-pk")[: SHOWN + 1])
        more, found = len(found) > SHOWN, found[:SHOWN]
        return self.render(
            "followups/notices.html",
            notices=[(row, services.sentence(row)) for row in found],
            only=asked["only"],
            before=asked["before"],
            next=found[-1].pk if more else None,
            unread=services.unread_count(self.member),
            counted=services.COUNTED,
        )

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        said = [id_number(text) for text in request.POST.getlist("pick")]
        ids = [number for number in said if number is not None]
        if request.POST.get("verb") == "unread":
            services.unread(member=self.member, ids=ids)
        else:
            count = services.read(member=self.member, ids=ids or None)
            if not ids:
                messages.success(
                    request, ngettext("%(count)d notice read", "%(count)d notices read", count) % {"count": count}
                )
        return self.done("notices")


class NoticeOpen(TenantView):
    """Mark a notice read and go where it leads."""

    permission = "notices:read"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        notice: Notice = get_object_or_404(services.notices_of(self.member), pk=self.kwargs["pk"])
        services.read(member=self.member, ids=[notice.pk])
        return redirect(f"/{self.request.tenant.slug}/{notice.url}" if notice.url else self.address("notices"))


class WishesForm(forms.Form):
    """For each kind of notice: by mail at once, once a day or never; by chat or not."""

    def __init__(self, data: Any = None, *, wishes: list[services.Wish]) -> None:
        super().__init__(data)
        self.wishes = wishes
        for wish in wishes:
            code = wish.kind.code
            self.fields[f"mail_{code}"] = forms.ChoiceField(
                label=_("%(kind)s: by e-mail") % {"kind": wish.kind.title},
                choices=[each for each in NoticeWish.Mail.choices if each[0] in wish.kind.ways], initial=wish.mail,
            )  # fmt: skip
            self.fields[f"chat_{code}"] = forms.BooleanField(
                label=_("%(kind)s: by chat") % {"kind": wish.kind.title}, required=False, initial=wish.chat
            )

    def rows(self) -> list[tuple[services.Wish, Any, Any]]:
        """The kinds with their two fields."""
        return [(wish, self[f"mail_{wish.kind.code}"], self[f"chat_{wish.kind.code}"]) for wish in self.wishes]

    def said(self) -> dict[str, tuple[str, bool]]:
        """Code → (mail, chat); call it on a valid form."""
        codes = [wish.kind.code for wish in self.wishes]
        return {code: (self.cleaned_data[f"mail_{code}"], self.cleaned_data[f"chat_{code}"]) for code in codes}


class Wishes(TenantView):
    """How the member wishes to hear of what."""

    permission = "notices:read"
    write_permission = "notices:write"
    nav = "notices"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        return self._show(WishesForm(wishes=services.wishes_of(self.member)))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form = WishesForm(request.POST, wishes=services.wishes_of(self.member))
        if not form.is_valid():
            return self._show(form)
        services.wish(member=self.member, wanted=form.said())
        messages.success(request, _("Saved. What is under way already goes as it was."))
        return self.done("notice-wishes")

    def _show(self, form: WishesForm) -> HttpResponse:
        failed = NoticeDelivery.objects.filter(
            member=self.member, status__in=[NoticeDelivery.Status.FAILED, NoticeDelivery.Status.UNCERTAIN]
        )
        return self.render(
            "followups/notice_wishes.html",
            form=form,
            chat=services.chat_of(self.member),
            failed=list(failed.order_by("-pk")[:5]),
        )


class ChatForm(forms.Form):
    """By which bot or gateway one is told."""

    gateway = forms.CharField(
        label=gettext_lazy("Address of your bot, with its keys"), max_length=1000, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "data-wide": True}),
    )  # fmt: skip

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        examples = ", ".join(f"{title}: {example}" for title, example in services.chat_examples())
        kept = _("It is kept encrypted and not shown again. Empty: nothing goes by chat.")
        self.fields["gateway"].help_text = f"{examples}. {kept}"


class ChatEdit(FormPage):
    """Set up where the member hears of notices by chat."""

    permission = "notices:write"
    nav = "notices"
    heading = pgettext_lazy("notices", "Chat")
    submit = gettext_lazy("Save")

    def form(self, data: Any = None, files: Any = None) -> ChatForm:
        return ChatForm(data)

    def save(self, form: Any) -> HttpResponse:
        chat = services.save_chat(member=self.member, gateway=form.cleaned_data["gateway"])
        words = _("Saved. The next notice goes there, too.") if chat else _("Nothing goes by chat any more.")
        messages.success(self.request, words)
        return self.done("notice-wishes")

    def back(self) -> str:
        return self.address("notice-wishes")
