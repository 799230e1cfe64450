"""How people sign in (django-allauth): members are invited, nobody signs up alone."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Closed sign-up; the address is the person's name towards the house."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Single sign-on lets in people who are known by their verified address, and makes nobody."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False
