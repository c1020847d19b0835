# syntax=docker/dockerfile:1
# Two stages, so that build tools don't end up in the image. Any Debian-based python:3.11 to 3.13 image works; pin BASE
# by digest in your own builds.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/badge
RUN python -m venv .venv && python -m venv /build/.venv
COPY requirements.txt requirements-postgresql.txt requirements-notify.txt requirements-build.txt /build/
RUN .venv/bin/pip install --quiet --no-deps --require-hashes -r /build/requirements.txt \
      -r /build/requirements-postgresql.txt -r /build/requirements-notify.txt \
 && /build/.venv/bin/pip install --quiet --no-deps --require-hashes -r /build/requirements-build.txt
COPY pyproject.toml README.md LICENSE NOTICE requirements.in requirements-postgresql.in requirements-aws.in \
     requirements-notify.in /build/
COPY badge /build/badge
RUN /build/.venv/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir /build /build \
 && .venv/bin/pip install --quiet --no-deps --no-index /build/*.whl \
 && .venv/bin/pip check

FROM ${BASE}
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libcairo2 fonts-dejavu-core fonts-droid-fallback fonts-symbola \
 && rm -rf /var/lib/apt/lists/*
# A fixed user ID, so that a volume's owner can be set to it beforehand.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin badge \
 && install -d -o badge -g badge -m 700 /data
COPY --from=build /srv/badge /srv/badge
WORKDIR /srv/badge
ENV PATH=/srv/badge/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    BADGE_BIND=0.0.0.0:8000 BADGE_DATA_DIR=/data
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-m", "badge.healthcheck"]
CMD ["badge", "serve"]
