#!/usr/bin/env python
"""Django's entry point, with one addition: a command that needs the servers finds or starts them."""

import os
import sys

# These read files only; starting a database for them would cost a newcomer two seconds for nothing.
WITHOUT_SERVERS = {"collectstatic", "compilemessages", "help", "makemessages", "up", "version"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command not in WITHOUT_SERVERS and not {"-h", "--help"} & set(sys.argv):
        from config import servers

        urls = servers.ensure()
        os.environ.setdefault("DATABASE_URL", urls.database_url)
        os.environ.setdefault("REDIS_URL", urls.redis_url)

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
