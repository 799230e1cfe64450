from django.apps import AppConfig


class FollowUpsConfig(AppConfig):
    name = "followups"

    def ready(self) -> None:
        """Listen to what mail providers tell, and know what surveys tell: registering is all that the imports do."""
        import followups.messages.hooks
        import followups.surveys.recommending  # noqa: F401
