"""The wheel is the whole product: it holds only the package, and runs anywhere without a checkout."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from badge.app import create_app
from badge.settings import load
from tests.releases import installed
from tests.servers import BIN, PROJECT, START_SECONDS, Service, clean_environment, free_port, started_service

NOT_INSTALLED = {".po"}  # translators' sources; the compiled .mo files are installed
TIME = "1700000000"


def environment(**more: str) -> dict[str, str]:
    """Return the environment of someone who has no checkout."""
    inherited = clean_environment()
    return {name: value for name, value in inherited.items() if not name.startswith(("BADGE_", "PYTHON"))} | more


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with sdist and wheel, which were built with an unusual umask."""
    folder = tmp_path_factory.mktemp("dist")
    command = [str(PROJECT / "scripts" / "build-dist"), str(folder)]
    subprocess.run(command, env=environment(SOURCE_DATE_EPOCH=TIME), umask=0o077, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [wheel] = built.glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Installation:
    """The wheel, installed into a folder of packages of its own."""

    packages: Path
    home: Path
    elsewhere: Path
    """A working directory with modules that must not be imported."""

    @property
    def environment(self) -> dict[str, str]:
        return environment(HOME=str(self.home), PYTHONPATH=str(self.packages))

    def badge(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.packages / "bin" / "badge"), *arguments]
        return subprocess.run(
            command, cwd=self.elsewhere, env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installation")
    packages = installed(wheel, folder / "packages")
    for name in ("badge/__init__.py", "redis.py", "flask.py"):
        module = folder / "elsewhere" / name
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text("raise SystemExit('imported from the working directory')\n")
    return Installation(packages, folder / "home", folder / "elsewhere")


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """Return the socket on which systemd would wait for the service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path_factory.mktemp("s") / "notify"))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listener.settimeout(START_SECONDS)
        yield listener


@pytest.fixture(scope="module")
def service(installation: Installation, systemd: socket.socket) -> Iterator[Service]:
    """Run `badge serve` with a settings file in the user's home."""
    bind = f"127.0.0.1:{free_port()}"
    settings = installation.home / ".config" / "backup-status-badge" / "badge.env"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"BADGE_BIND={bind}\nBADGE_WORKERS=1\n")
    data = installation.home / ".local" / "state" / "backup-status-badge"
    command = [str(installation.packages / "bin" / "badge"), "serve"]
    environment = {**installation.environment, "NOTIFY_SOCKET": systemd.getsockname()}
    with started_service(command, installation.elsewhere, environment, data, bind) as service:
        yield service


def files_of_the_package() -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "badge"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split() if Path(name).suffix not in NOT_INSTALLED}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == files_of_the_package()


def test_the_wheel_requires_what_the_requirements_files_declare(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    declared = message_from_bytes(archive.read(metadata))
    assert declared.get_all("Provides-Extra") == ["postgresql", "aws", "notify"]
    for extra in ("", "-postgresql", "-aws", "-notify"):
        needed = [line for line in (PROJECT / f"requirements{extra}.in").read_text().splitlines() if line[0] != "#"]
        marker = f'extra == "{extra[1:]}"'
        found = [
            one for one in declared.get_all("Requires-Dist", []) if (marker in one if extra else "extra" not in one)
        ]
        assert len(found) == len(needed) > 0


def test_the_sdist_and_the_checkout_give_the_same_wheel_whatever_the_umask(wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in [*files_of_the_package(), "pyproject.toml", "README.md", "LICENSE", "NOTICE"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((PROJECT / name).read_bytes())
    for file in PROJECT.glob("requirements*.in"):
        (copy / file.name).write_bytes(file.read_bytes())
    command = [str(BIN / "uv"), "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable]
    options = ["--wheel", "--out-dir", str(tmp_path), str(copy)]
    subprocess.run([*command, *options], env=environment(SOURCE_DATE_EPOCH=TIME), umask=0o022, check=True)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


# Status codes for anonymous requests; the routes that are not listed answer 200.
ANSWERS = {
    "/metrics": 200,  # from this machine, without a public URL
    "/metrics/subjects": 403,  # needs BADGE_METRICS_TOKEN
    "/ops/status": 401,
    "/ops/status/list": 401,
    "/ping/<uuid>": 404,
    "/ping/<first>/<second>": 404,
    "/ping/<first>/<second>/<third>": 404,
    "/ping/<key>/<slug>/verified/<signal>": 404,
    "/dashboard": 303,
    "/dashboard/": 303,
    "/dashboard/<any_path:_>": 303,
    "/status/<any_path:_>": 404,  # there is no such subject
}
EXAMPLES = {"/ping/<uuid>": "/ping/0b9cdd4e-5a44-4a55-93c0-9d54a1b4c2a1"}


def routes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each route with an example of its path."""
    static = [path.name for path in (PROJECT / "badge" / "web" / "static").iterdir()]
    for rule in create_app(load({"BADGE_DATA_DIR": str(folder)})).url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        names = static if rule.rule == "/static/<name>" else ["GitHub/acme/Repository/web.png"]
        for name in names:
            path = EXAMPLES.get(rule.rule) or "/".join(
                name if part.startswith("<") else part for part in rule.rule.split("/")
            )
            yield rule.rule, path


def test_the_first_message_to_systemd_is_a_worker_s_ready(service: Service, systemd: socket.socket) -> None:
    message, ancillary, *_ = systemd.recvmsg(100, 100)
    [(*_, credentials)] = ancillary
    sender, *_ = struct.unpack("3i", credentials)
    assert message == b"READY=1"
    assert sender in [worker.pid for worker in service.workers()]


def test_every_route_answers_outside_of_a_checkout(service: Service, tmp_path: Path) -> None:
    answers = {
        path: (service.get(path, allow_redirects=False).status_code, ANSWERS.get(rule, 200))
        for rule, path in routes(tmp_path)
    }
    assert {path: codes for path, codes in answers.items() if codes[0] != codes[1]} == {}
    assert len(answers) > 25


def test_translations_and_drawing_work_outside_of_a_checkout(service: Service) -> None:
    assert "unbekannt" in service.get("/badge/acme/none?lang=de").text
    assert service.get("/readyz").json()["status"] == "ready"


def test_commands_use_the_same_data_as_the_service(installation: Installation, service: Service) -> None:
    done = installation.badge("report", "acme/web", "succeeded")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"(catalogue {service.data_dir}/catalogue.sqlite3)" in done.stdout
    assert service.get("/badge/acme/web.txt").text.strip() == "succeeded"


def test_serve_lists_faults_of_the_settings_and_exits_with_code_2(installation: Installation) -> None:
    done = subprocess.run(
        [installation.packages / "bin" / "badge", "serve"],
        env={**installation.environment, "BADGE_WORKERS": "many", "BADGE_SETTINGS_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "BADGE_WORKERS: must be a whole number from 1 to 64\nThe service was not started.\n"
