"""What gunicorn serves; it refuses to start with a setting missing, and says which."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.checks import Error, run_checks  # settings must be named first
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from config.garbage import settle
from config.stack import in_one_piece

application = in_one_piece(get_wsgi_application())

if findings := [f for f in run_checks(tags=["perennial"], databases=["default"]) if isinstance(f, Error)]:
    sys.exit("\n".join(f"{f.id}: {f.msg} {f.hint or ''}" for f in findings))

# Loads every page's module, so that the first request need not, and its objects are there to be settled.
get_resolver().url_patterns  # noqa: B018
settle()
