"""Where Django's own number formats differ from what the screens say."""
