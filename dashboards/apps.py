from django.apps import AppConfig


class DashboardsConfig(AppConfig):
    name = "dashboards"

    def ready(self) -> None:
        import dashboards.reports.letters  # noqa: F401  # registers what is told of reports
