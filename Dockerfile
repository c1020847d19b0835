# syntax=docker/dockerfile:1
# The image contains the service and the Debian packages that it needs, without a package manager or build tools: a
# smaller download, and less to update. The build works on x86-64 and AArch64: the digest is that of the
# multi-architecture image, and Python packages are pinned with hashes for both. For a newer digest, run
# `docker buildx imagetools inspect docker.io/library/debian:bookworm-slim`.
ARG BASE=docker.io/library/debian:bookworm-slim@sha256:4724b8cc51e33e398f0e2e15e18d5ec2851ff0c2280647e1310bc1642182655d

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv binutils
WORKDIR /srv/badge
RUN python3 -m venv --without-pip .venv && python3 -m venv /build/.venv
COPY requirements.txt requirements-postgresql.txt requirements-notify.txt requirements-build.txt /build/
RUN /build/.venv/bin/pip --python .venv install --quiet --no-deps --no-compile --require-hashes \
      -r /build/requirements.txt -r /build/requirements-postgresql.txt -r /build/requirements-notify.txt \
 && /build/.venv/bin/pip install --quiet --no-deps --require-hashes -r /build/requirements-build.txt
COPY pyproject.toml README.md LICENSE NOTICE requirements.in requirements-postgresql.in requirements-aws.in \
     requirements-notify.in /build/
COPY badge /build/badge
RUN /build/.venv/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir /build /build \
 && /build/.venv/bin/pip --python .venv install --quiet --no-deps --no-compile --no-index /build/*.whl \
 && /build/.venv/bin/pip --python .venv check
# Some wheels contain debug symbols: 30 MB in all.
RUN find .venv -type f \( -name '*.so' -o -name '*.so.*' -o -name valkey-server \) -exec strip --strip-unneeded {} +

FROM ${BASE} AS system
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG PACKAGES="busybox ca-certificates fonts-dejavu-core fonts-droid-fallback fonts-symbola libcairo2 python3"
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends $PACKAGES
# A fixed user ID, so that a volume's owner can be set to it beforehand.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin badge \
 && install -d /image/usr/{bin,lib,lib64,sbin} /image/var/lib/dpkg && install -d -o badge -g badge -m 700 /image/data
# Copy these packages and their dependencies, except those that only install and configure packages. Vulnerability
# scanners read dpkg's status. base-files has os-release and licence texts, libc-bin the locale C.UTF-8. Two folders
# are left out: Ghostscript's second copy of a font, and the converters for iconv(3), because Python has its own.
RUN apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
      --no-enhances $PACKAGES base-files libc-bin tzdata | grep '^[a-z]' \
  | grep -vxE 'debconf|dpkg|tar' | sort -u >/packages \
 && xargs dpkg-query --status </packages >/image/var/lib/dpkg/status \
 && cp -a --parents /bin /lib* /sbin /etc/fonts /etc/group /etc/ld.so.cache /etc/localtime /etc/nsswitch.conf \
      /etc/passwd /etc/ssl /image \
 && xargs dpkg-query --listfiles </packages | sort -u \
  | while read -r path; do if [ -e "$path" ]; then echo "${path#/}"; fi; done \
  | grep -vE '^usr/(share/fonts-droid-fallback|lib/[^/]+/gconv)/' \
  | tar -c -C / --no-recursion -T - | tar -x -C /image --keep-directory-symlink \
 && chroot /image /bin/busybox --install -s && rm /image/linuxrc

FROM scratch
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="Backup Status Badge" \
      org.opencontainers.image.description="A badge that shows whether the last backup worked" \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION}
COPY --from=system /image /
COPY --from=build /srv/badge /srv/badge
WORKDIR /srv/badge
ENV PATH=/srv/badge/.venv/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Compile what the service imports, so that it starts quickly. Compiling everything would take 20 MB more.
RUN python -c "import apprise, cairosvg, flask_wtf, pkgutil, psycopg, sqlalchemy.dialects.postgresql.psycopg, badge; \
      apprise.Apprise().add('json://localhost'); \
      names = {found.name for found in pkgutil.walk_packages(badge.__path__, 'badge.')}; \
      list(map(__import__, names - {'badge.__main__', 'badge.catalogue.migrations.env'}))"
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/tmp BADGE_BIND=0.0.0.0:8000 BADGE_DATA_DIR=/data
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-m", "badge.healthcheck"]
CMD ["badge", "serve"]
