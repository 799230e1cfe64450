"""A pytest plugin, loaded by name before pytest-django reads the settings: servers for this run alone."""

import atexit
import os
import secrets
import tempfile

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if "PYTEST_XDIST_WORKER" not in os.environ:
    # Workers inherit the environment, so that the servers start once.
    if "PERENNIAL_TEST_VAR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="perennial-test-")
        atexit.register(folder.cleanup)
        os.environ["PERENNIAL_VAR"] = os.environ["PERENNIAL_TEST_VAR"] = folder.name
    os.environ["PERENNIAL_TEST_RUN"] = secrets.token_hex(8)  # whose migrated database it is: tests/databases.py
    if "DATABASE_URL" not in os.environ:
        from config import servers

        handle = servers.throwaway()
        atexit.register(handle.stop)
        os.environ["DATABASE_URL"] = handle.urls.database_url
        os.environ["REDIS_URL"] = handle.urls.redis_url
    else:

        def leave_no_template() -> None:
            from tests.databases import drop, template_name

            drop(template_name())

        atexit.register(leave_no_template)
else:
    # Each process has a Redis database of its own: clearing one's cache must not clear another's queue.
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rpartition("/")[0] + f"/{number}"
