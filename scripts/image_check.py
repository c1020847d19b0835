"""`make image-check`: walks the Dockerfile without a container engine, then starts what came out.

The base image is stood in for by a bare Debian (debootstrap) with Python; each instruction is carried
out in a folder of its own by chroot. The result is started as the image's user on a read-only root,
and is asked for a badge, a PNG's address and its own HEALTHCHECK. Needs root, for mounts and chroot.
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
    """Something is not as the image promises; the message says what."""


@dataclass
class Stage:
    """One FROM and what follows it, as far as it was walked."""

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
    """Progress, at once."""
    print(line, flush=True)


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            if word not in SUPPORTED:
                raise CheckFailed(f"this check can't carry out {word}; teach it to")
            yield word, rest.strip()


def make_base() -> Path:
    """The bare Debian; made once, then kept in build/."""
    base = BUILD / "base"
    if not (base / DONE).exists():
        say("Making a bare Debian (a minute or two, once) …")
        shutil.rmtree(base, ignore_errors=True)
        options = ["--variant=minbase", f"--include={PACKAGES}", SUITE, str(base)]
        subprocess.run(["debootstrap", *options], check=True, stdout=subprocess.DEVNULL)
        (base / DONE).touch()
    return base


def walk(dockerfile: Path, base: Path) -> Stage:
    """Carry out every instruction; gives the last stage."""
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


def carry_out(word: str, rest: str, stage: Stage, stages: dict[str, Stage]) -> None:  # noqa: C901 - a case each
    """One instruction within a stage."""
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
        case _:  # EXPOSE is for people
            pass


def copy(rest: str, stage: Stage, stages: dict[str, Stage]) -> None:
    """COPY from the context, as .dockerignore leaves it, or from another stage."""
    *sources, target = [word for word in rest.split() if not word.startswith("--")]
    origin = re.search(r"--from=(\S+)", rest)
    into = stage.root / str(Path(stage.folder) / target).lstrip("/")
    for source in sources:
        found = stages[origin[1]].root / source.lstrip("/") if origin else PROJECT / source
        if not origin and not is_in_context(source):
            raise CheckFailed(f"COPY {source}: .dockerignore leaves it out")
        if found.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if not origin else None
            shutil.copytree(found, into, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, into / found.name)


def is_in_context(source: str) -> bool:
    """Whether .dockerignore, whose last matching line counts, lets a path of the context through."""
    included = True
    for line in (PROJECT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!").removeprefix("./")
        if fnmatch.fnmatch(source, pattern) or fnmatch.fnmatch(source.partition("/")[0], pattern):
            included = line.startswith("!")
    return included


def entered(stage: Stage, mounts: list[str], user: str, command: list[str], extra: dict[str, str]) -> list[str]:
    """The command line that runs a command in the stage's root, in mount and process spaces of its own."""
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
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]


KERNEL = ["mount -t proc proc ROOT/proc", "mount --rbind /dev ROOT/dev"]


def run_in(stage: Stage, command: list[str]) -> None:
    """RUN, as root, with the host's name service and certificates, which an engine would provide."""
    shutil.copy("/etc/resolv.conf", stage.root / "etc" / "resolv.conf")
    passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    passed.pop("PIP_FIND_LINKS", None)
    mounts = list(KERNEL)
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        mounts.append("mount --bind /etc/ssl/certs ROOT/etc/ssl/certs")
    done = subprocess.run(entered(stage, mounts, "0", command, passed), check=False)
    if done.returncode != 0:
        raise CheckFailed(f"RUN failed with exit code {done.returncode}")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Started:
    """The image's command, running."""

    stage: Stage
    mounts: list[str]
    url: str
    extra: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Another command in the same image, on the same volume, as the same user."""
        line = entered(self.stage, self.mounts, self.stage.user, list(command), self.extra)
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    def get(self, path: str) -> tuple[int, str, bytes]:
        """Status, media type and body of a path."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read()


def start_and_check(stage: Stage) -> None:
    """Start the image's command as its user on a read-only root, and ask it."""
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
        expect("as process 1 it ends on SIGTERM", is_so=ends_on_sigterm(process))
    except (CheckFailed, OSError):
        say(log.read_text()[-3000:])
        raise
    finally:
        process.kill()  # and --kill-child its child
        process.wait(20)


def ends_on_sigterm(process: subprocess.Popen[bytes]) -> bool:
    """Tell the command, which unshare waits for, to stop, as an engine does."""
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def expect(what: str, *, is_so: bool) -> None:
    """One promise."""
    if not is_so:
        raise CheckFailed(what)
    say(f"  ok: {what}")


def check(started: Started) -> None:
    """What the image promises."""
    wait_until_live(started)
    badge = "/badge/GitHub/acme/Repository/web"
    first = started.get(badge)
    expect("a badge is an SVG", is_so=first[:2] == (200, "image/svg+xml; charset=utf-8") and b"unknown" in first[2])
    reported = started.run("badge", "report", "GitHub/acme/Repository/web", "succeeded")
    expect("a backup can be reported inside", is_so=reported.returncode == 0)
    expect("its badge says so", is_so=b"backup: succeeded" in started.get(badge)[2])
    png = started.get(badge + ".png?label=drawn%20here")
    expect("a PNG is drawn", is_so=png[:2] == (200, "image/png") and png[2] != started.get(badge + ".png")[2])
    expect("the embedded Valkey runs", is_so=json.loads(started.get("/readyz")[2])["checks"]["cache"] == "up")
    expect("the HEALTHCHECK is content", is_so=started.run(*started.stage.healthcheck).returncode == 0)
    wrong = Started(started.stage, started.mounts, "", {"BADGE_BIND": "127.0.0.1:9"})
    expect("and is not where nothing runs", is_so=wrong.run(*started.stage.healthcheck).returncode == 1)
    expect("the user is not root", is_so=started.run("id", "-u").stdout.strip() == started.stage.user != "0")
    touched = started.run("touch", "/srv/badge/x")
    expect("the root is read-only", is_so=touched.returncode != 0)
    doctor = started.run("badge", "check-config")
    expect("the doctor finds all well", is_so=doctor.returncode == 0)


def wait_until_live(started: Started) -> None:
    """Until it answers, or fail."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            if started.get("/livez")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)  # noqa: TID251 - another process is starting
    raise CheckFailed(f"no answer within {START_SECONDS} s")


def main() -> int:
    """Exit code: 0 if the image is as promised, 1 if not, 2 if this can't be tried here."""
    argparse.ArgumentParser(prog="make image-check", description=__doc__).parse_args()
    missing = [tool for tool in ("debootstrap", "unshare", "chroot", "setpriv") if shutil.which(tool) is None]
    if os.getuid() != 0 or missing:
        say(f"This needs root and the tools {', '.join(missing) or 'at hand'} (Debian: apt-get install debootstrap).")
        return 2
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        base = make_base()
        say("Walking the Dockerfile …")
        stage = walk(PROJECT / "Dockerfile", base)
        say("Starting what came out, as its user, on a read-only root …")
        start_and_check(stage)
    except CheckFailed as failed:
        say(f"FAILED: {failed}")
        return 1
    say("The image is as it promises to be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
