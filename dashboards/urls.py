"""Pages that bring several apps together."""

from django.urls import path

from dashboards.views import customers, keys, today

urlpatterns = [
    path("today/", today.Today.as_view(), name="today"),
    path("today/fresh/", today.Fresh.as_view(), name="today-fresh"),
    path("today/<int:pk>/", today.One.as_view(), name="today-one"),
    path("today/<int:pk>/log/", today.Log.as_view(), name="today-log"),
    path("today/done/", today.Done.as_view(), name="today-done"),
    path("today/snooze/", today.Snooze.as_view(), name="today-snooze"),
    path("today/assign/", today.Assign.as_view(), name="today-assign"),
    path("today/undo/", today.TakeBack.as_view(), name="today-undo"),
    path("keys/", keys.LetterKeys.as_view(), name="letter-keys"),
    path("find/", keys.Find.as_view(), name="find"),
    path("customers/", customers.CustomerList.as_view(), name="customers"),
    path("customers/add/", customers.CustomerAdd.as_view(), name="customer-add"),
    path("customers/<int:pk>/", customers.CustomerPage.as_view(), name="customer"),
    path("customers/<int:pk>/edit/", customers.CustomerEdit.as_view(), name="customer-edit"),
    path("customers/<int:pk>/timeline/", customers.CustomerTimeline.as_view(), name="customer-timeline"),
]
