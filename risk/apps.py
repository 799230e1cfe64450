from django.apps import AppConfig


class RiskConfig(AppConfig):
    name = "risk"

    def ready(self) -> None:
        """Let journeys know that playbooks speak as well: one of all goes on at a time."""
        import risk.alerts.telling  # registers what alerts tell
        import risk.incidents.notices  # noqa: F401  # registers what the crisis room tells
        from followups.journeys.voices import VOICES
        from risk.playbooks.walking import PlaybookVoice

        if not any(isinstance(voice, PlaybookVoice) for voice in VOICES):
            VOICES.append(PlaybookVoice())
