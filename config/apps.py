from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The composition root: where the apps' policies, nights and checks come together."""

    name = "config"
    label = "config"

    def ready(self) -> None:
        from config import celery, checks, policy  # noqa: F401  # registering is what importing them is for
