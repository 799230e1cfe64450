from django.apps import AppConfig


class FollowUpsConfig(AppConfig):
    name = "followups"

    def ready(self) -> None:
        """Listen to what mail providers tell: registering is all that the import does."""
        import followups.messages.hooks  # noqa: F401
