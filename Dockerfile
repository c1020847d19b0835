# syntax=docker/dockerfile:1
# Two stages, so that build tools don't end up in the image. The build works on x86-64 and AArch64: the digest is that of
# the multi-architecture image, and packages are pinned with hashes for both. For a newer digest, run
# `docker buildx imagetools inspect docker.io/library/debian:bookworm-slim`.
ARG BASE=docker.io/library/debian:bookworm-slim@sha256:4724b8cc51e33e398f0e2e15e18d5ec2851ff0c2280647e1310bc1642182655d

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
WORKDIR /srv/badge
RUN python3 -m venv --without-pip .venv && python3 -m venv /build/.venv
COPY requirements.txt requirements-postgresql.txt requirements-notify.txt requirements-build.txt /build/
RUN /build/.venv/bin/pip --python .venv install --quiet --no-deps --require-hashes -r /build/requirements.txt \
      -r /build/requirements-postgresql.txt -r /build/requirements-notify.txt \
 && /build/.venv/bin/pip install --quiet --no-deps --require-hashes -r /build/requirements-build.txt
COPY pyproject.toml README.md LICENSE NOTICE requirements.in requirements-postgresql.in requirements-aws.in \
     requirements-notify.in /build/
COPY badge /build/badge
RUN /build/.venv/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir /build /build \
 && /build/.venv/bin/pip --python .venv install --quiet --no-deps --no-index /build/*.whl \
 && /build/.venv/bin/pip --python .venv check

FROM ${BASE}
ARG BASE
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="Backup Status Badge" \
      org.opencontainers.image.description="A badge that shows whether the last backup worked" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.base.name=${BASE}
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends python3 libcairo2 fonts-dejavu-core fonts-droid-fallback fonts-symbola \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old
# A fixed user ID, so that a volume's owner can be set to it beforehand.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin badge \
 && install -d -o badge -g badge -m 700 /data
COPY --from=build /srv/badge /srv/badge
WORKDIR /srv/badge
ENV PATH=/srv/badge/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/tmp \
    BADGE_BIND=0.0.0.0:8000 BADGE_DATA_DIR=/data
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-m", "badge.healthcheck"]
CMD ["badge", "serve"]
