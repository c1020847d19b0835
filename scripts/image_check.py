"""`make image-check`: build the Dockerfile without a container engine, then start and test the result.

A minimal Debian (debootstrap) with Python replaces the base image; each stage is built in a folder of its own by
chroot. The result is started as the image's user on a read-only root, and tested with a badge, a PNG and its own
HEALTHCHECK. Needs root, for mounts and chroot.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BUILD = PROJECT / "build" / "image"
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
SUITE = "bookworm"
START_SECONDS = 30
STOP_SECONDS = 10
DONE = ".debootstrap-done"
SUPPORTED = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}


class CheckFailed(Exception):
    """The build or a test of the image failed; the message says which."""


@dataclass
class Stage:
    """One build stage, as far as it has been built."""

    name: str
    root: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    )
    folder: str = "/"
    user: str = "0"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)


def say(line: str) -> None:
    """Print progress, without buffering even if the output is piped."""
    print(line, flush=True)


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction with its arguments, continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            if word not in SUPPORTED:
                raise CheckFailed(f"this check does not support {word}; add it to carry_out()")
            yield word, rest.strip()


def make_base() -> Path:
    """Return the minimal Debian, made once and then reused from build/."""
    base = BUILD / "base"
    if not (base / DONE).exists():
        say("Making a minimal Debian (a minute or two, once) …")
        shutil.rmtree(base, ignore_errors=True)
        options = ["--variant=minbase", f"--include={PACKAGES}", SUITE, str(base)]
        subprocess.run(["debootstrap", *options], check=True, stdout=subprocess.DEVNULL)
        (base / DONE).touch()
    return base


def build(dockerfile: Path, base: Path) -> Stage:
    """Carry out every instruction; returns the last stage."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for word, rest in instructions(dockerfile.read_text()):
        say(f"  {word} {rest[:100]}")
        if word == "ARG":
            continue
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "final"
            stage = stages[name] = Stage(name, BUILD / name)
            shutil.rmtree(stage.root, ignore_errors=True)
            subprocess.run(["cp", "-a", "--reflink=auto", base, stage.root], check=True)
        else:
            assert stage is not None
            carry_out(word, rest, stage, stages)
    assert stage is not None
    return stage


def carry_out(word: str, rest: str, stage: Stage, stages: dict[str, Stage]) -> None:  # noqa: C901 - one case per instruction
    """Carry out one instruction in a stage."""
    match word:
        case "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                stage.environment[name] = value.replace("$PATH", stage.environment["PATH"])
        case "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "COPY":
            copy(rest, stage, stages)
        case "RUN":
            run_in(stage, ["/bin/sh", "-c", rest])
        case "USER":
            stage.user = rest
        case "VOLUME":
            stage.volumes.append(rest)
        case "HEALTHCHECK":
            stage.healthcheck = json.loads(rest[rest.index("[") :])
        case "CMD":
            stage.command = json.loads(rest)
        case _:  # EXPOSE is only documentation
            pass


def copy(rest: str, stage: Stage, stages: dict[str, Stage]) -> None:
    """Carry out COPY from the build context (respecting .dockerignore) or from another stage."""
    *sources, target = [word for word in rest.split() if not word.startswith("--")]
    origin = re.search(r"--from=(\S+)", rest)
    into = stage.root / str(Path(stage.folder) / target).lstrip("/")
    for source in sources:
        found = stages[origin[1]].root / source.lstrip("/") if origin else PROJECT / source
        if not origin and not is_in_context(source):
            raise CheckFailed(f"COPY {source}: excluded by .dockerignore")
        if found.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if not origin else None
            shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, into / found.name)


def is_in_context(source: str) -> bool:
    """Whether .dockerignore includes a path of the build context; the last matching line counts."""
    included = True
    for line in (PROJECT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!").removeprefix("./")
        # A pattern that matches a folder applies to everything in it.
        if fnmatch.fnmatch(source, pattern) or fnmatch.fnmatch(source.partition("/")[0], pattern):
            included = line.startswith("!")
    return included


def entered(stage: Stage, mounts: list[str], user: str, command: list[str], extra: dict[str, str]) -> list[str]:
    """Return the command line that runs a command in the stage's root, in its own mount and PID namespaces."""
    root = shlex.quote(str(stage.root))
    environment = [f"{name}={value}" for name, value in {**stage.environment, **extra}.items()]
    inside = [
        "setpriv",
        "--no-new-privs",
        "env",
        "-i",
        *environment,
        "sh",
        "-c",
        f'cd {stage.folder} && exec "$@"',
        "-",
    ]
    words = shlex.join(["chroot", f"--userspec={user}:{user}", str(stage.root), *inside, *command])
    script = " && ".join([*(mount.replace("ROOT", root) for mount in mounts), f"exec {words}"])
    # The mounts are made in a namespace of their own, so they disappear with the command.
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]


KERNEL = ["mount -t proc proc ROOT/proc", "mount --rbind /dev ROOT/dev"]


def run_in(stage: Stage, command: list[str]) -> None:
    """Carry out RUN as root, with the host's DNS settings and certificates, which an engine would provide."""
    shutil.copy("/etc/resolv.conf", stage.root / "etc" / "resolv.conf")
    passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    # It may be a folder of the host, which does not exist in the stage.
    passed.pop("PIP_FIND_LINKS", None)
    mounts = list(KERNEL)
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        mounts.append("mount --bind /etc/ssl/certs ROOT/etc/ssl/certs")
    done = subprocess.run(entered(stage, mounts, "0", command, passed), check=False)
    if done.returncode != 0:
        raise CheckFailed(f"RUN failed with exit code {done.returncode}")


def free_port() -> int:
    """Return a free local port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Started:
    """The running image."""

    stage: Stage
    mounts: list[str]
    url: str
    extra: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the same image, on the same volume, as the same user."""
        line = entered(self.stage, self.mounts, self.stage.user, list(command), self.extra)
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    def get(self, path: str) -> tuple[int, str, bytes]:
        """Request a path; returns status, media type and body."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read()


def start_and_check(stage: Stage) -> None:
    """Start the image's command as its user on a read-only root, and test it."""
    volume = BUILD / "volume"
    shutil.rmtree(volume, ignore_errors=True)
    volume.mkdir()
    shutil.chown(volume, int(stage.user), int(stage.user))
    mounts = [
        "mount --bind ROOT ROOT",
        "mount -o remount,bind,ro ROOT",
        *KERNEL,
        "mount -t tmpfs tmpfs ROOT/tmp",
        *(f"mount --bind {shlex.quote(str(volume))} ROOT{path}" for path in stage.volumes),
    ]
    port = free_port()
    extra = {"BADGE_BIND": f"127.0.0.1:{port}"}
    log = BUILD / "service.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(entered(stage, mounts, stage.user, stage.command, extra), stdout=sink, stderr=sink)
    try:
        check(Started(stage, mounts, f"http://127.0.0.1:{port}", extra))
        expect("it stops on SIGTERM as PID 1", is_so=ends_on_sigterm(process))
    except (CheckFailed, OSError):
        say(log.read_text()[-3000:])
        raise
    finally:
        process.kill()  # --kill-child ends its child
        process.wait(20)


def ends_on_sigterm(process: subprocess.Popen[bytes]) -> bool:
    """Send SIGTERM to the command (unshare's child), as an engine does; returns whether it ends in time."""
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def expect(what: str, *, is_so: bool) -> None:
    """Report one test; raises `CheckFailed` if it failed."""
    if not is_so:
        raise CheckFailed(what)
    say(f"  ok: {what}")


def check(started: Started) -> None:
    """Test everything the image promises."""
    wait_until_live(started)
    badge = "/badge/GitHub/acme/Repository/web"
    first = started.get(badge)
    expect("a badge is an SVG", is_so=first[:2] == (200, "image/svg+xml; charset=utf-8") and b"unknown" in first[2])
    reported = started.run("badge", "report", "GitHub/acme/Repository/web", "succeeded")
    expect("a backup can be reported inside the container", is_so=reported.returncode == 0)
    expect("its badge shows it", is_so=b"backup: succeeded" in started.get(badge)[2])
    png = started.get(badge + ".png?label=drawn%20here")
    expect("a PNG is drawn", is_so=png[:2] == (200, "image/png") and png[2] != started.get(badge + ".png")[2])
    expect("the embedded Valkey runs", is_so=json.loads(started.get("/readyz")[2])["checks"]["cache"] == "up")
    expect("the HEALTHCHECK succeeds", is_so=started.run(*started.stage.healthcheck).returncode == 0)
    wrong = Started(started.stage, started.mounts, "", {"BADGE_BIND": "127.0.0.1:9"})
    expect("the HEALTHCHECK fails if nothing is running", is_so=wrong.run(*started.stage.healthcheck).returncode == 1)
    expect("the user is not root", is_so=started.run("id", "-u").stdout.strip() == started.stage.user != "0")
    touched = started.run("touch", "/srv/badge/x")
    expect("the root is read-only", is_so=touched.returncode != 0)
    checked = started.run("badge", "check-config")
    expect("check-config finds no fault", is_so=checked.returncode == 0)


def wait_until_live(started: Started) -> None:
    """Wait until the service answers; raises `CheckFailed` if it does not."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            if started.get("/livez")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)  # noqa: TID251 - another process is starting
    raise CheckFailed(f"no answer within {START_SECONDS} s")


def main() -> int:
    """Return the exit code: 0 if all tests passed, 1 if not, 2 if they can't be run here."""
    argparse.ArgumentParser(prog="make image-check", description=__doc__).parse_args()
    missing = [tool for tool in ("debootstrap", "unshare", "chroot", "setpriv") if shutil.which(tool) is None]
    if os.getuid() != 0 or missing:
        needed = ["root", *missing] if os.getuid() != 0 else missing
        say(f"This check needs {', '.join(needed)} (Debian: apt-get install debootstrap util-linux coreutils).")
        return 2
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        base = make_base()
        say("Building the Dockerfile …")
        stage = build(PROJECT / "Dockerfile", base)
        say("Starting the result as its user on a read-only root …")
        start_and_check(stage)
    except CheckFailed as failed:
        say(f"FAILED: {failed}")
        return 1
    say("The image passed all tests.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
