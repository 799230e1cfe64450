from django.apps import AppConfig


class IncentivesConfig(AppConfig):
    name = "incentives"

    def ready(self) -> None:
        """Let the room of notices know what growth tells: registering is all that the import does."""
        import incentives.growth.telling  # noqa: F401
