"""The administrator's pages inside a tenant."""

from django.urls import path

from tenants import views

urlpatterns = [
    path("runs/", views.RunList.as_view(), name="runs"),
    path("members/", views.MemberList.as_view(), name="members"),
    path("members/add/", views.MemberAdd.as_view(), name="member-add"),
    path("members/<int:pk>/", views.MemberEdit.as_view(), name="member"),
    path("tokens/", views.TokenList.as_view(), name="tokens"),
    path("tokens/add/", views.TokenAdd.as_view(), name="token-add"),
    path("tokens/<int:pk>/revoke/", views.TokenRevoke.as_view(), name="token-revoke"),
]
