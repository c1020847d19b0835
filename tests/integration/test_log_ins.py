"""Authentication of sources over real HTTP, with servers that check it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from badge.deadline import Deadline
from badge.model import BackupStatus, Report, Subject
from badge.ports import SourceUnavailable
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import load
from badge.sources.routing import Routing
from tests.doubles import ManualClock, RecordedEvents
from tests.serving import serving

WEB = Subject.legacy("acme", "web")
PASSWORD = "correct horse"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


Answer = Callable[[Request], tuple[int, object]]


@dataclass
class System:
    """A backup system that answers with `answer` and records the requests."""

    answer: Answer
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def paths(self) -> list[str]:
        return [urlsplit(request.target).path for request in self.requests]


@contextlib.contextmanager
def running(answer: Answer) -> Iterator[System]:
    system = System(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            system.requests.append(request)
            status, document = system.answer(request)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    system.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield system


ENVIRONMENT = {"PASSWORD": PASSWORD, "ACCESS": "AKIDEXAMPLE", "SECRET": "wJalrXUtnFEMI"}

CUSTOM = """
[[source]]
name = "own"
kind = "http"
url = "URL"
state = "status"
map = { ok = "succeeded" }
request = { path = "/jobs", query = { job = "{platform}/{account}/{subjectType}/{subjectName}" } }
AUTH
"""


def source_in(folder: Path, text: str, url: str, clock: ManualClock | None = None) -> Callable[[], Report]:
    file = folder / "sources.toml"
    file.write_text(text.replace("URL", url))
    routing: Routing = build_routing(load(file, ENVIRONMENT), None, clock or ManualClock(), RecordedEvents())
    return lambda: routing.sources[0].fetch(WEB, None, Deadline.after(2))


def wants_header(name: str, value: str) -> Answer:
    return lambda request: (200, {"status": "ok"}) if request.headers.get(name) == value else (401, {})


FIXED = {
    "header": ('{ kind = "header", header = "X-Key", value = "env:PASSWORD" }', "X-Key", PASSWORD),
    "prefix": (
        '{ kind = "header", header = "Authorization", prefix = "PBSAPIToken ", value = "env:PASSWORD" }',
        "Authorization",
        f"PBSAPIToken {PASSWORD}",
    ),
    "bearer": ('{ kind = "bearer", token = "env:PASSWORD" }', "Authorization", f"Bearer {PASSWORD}"),
    "basic": (
        '{ kind = "basic", user = "me", password = "env:PASSWORD" }',
        "Authorization",
        "Basic bWU6Y29ycmVjdCBob3JzZQ==",
    ),
}


@pytest.mark.parametrize(("auth", "header", "value"), FIXED.values(), ids=FIXED.keys())
def test_fixed_headers_are_sent(tmp_path: Path, auth: str, header: str, value: str) -> None:
    with running(wants_header(header, value)) as system:
        fetch = source_in(tmp_path, CUSTOM.replace("AUTH", f"auth = {auth}"), system.url)
        assert fetch().status is BackupStatus.SUCCEEDED


def test_a_token_in_a_file_may_change_while_the_service_runs(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    with running(lambda request: (200, {"status": "ok"})) as system:
        fetch = source_in(
            tmp_path, CUSTOM.replace("AUTH", f'auth = {{ kind = "bearer", token = "file:{token}" }}'), system.url
        )
        fetch()
        token.write_text("second\n")
        fetch()
        assert [request.headers["Authorization"] for request in system.requests] == ["Bearer first", "Bearer second"]
        token.unlink()
        with pytest.raises(SourceUnavailable, match="noSecret"):
            fetch()


class Tokens:
    """A system that issues tokens and accepts only the newest, until a test revokes it."""

    def __init__(
        self, log_in_path: str, is_right: Callable[[Request], bool], document: object, name: str = "token"
    ) -> None:
        self.log_in_path, self.is_right, self.document, self.name = log_in_path, is_right, document, name
        self.count, self.valid = 0, ""
        self.lifetime: int | None = None

    def __call__(self, request: Request) -> tuple[int, object]:
        if urlsplit(request.target).path == self.log_in_path:
            if not self.is_right(request):
                return 401, {"error": "no"}
            self.count += 1
            self.valid = f"t{self.count}"
            lifetime = {} if self.lifetime is None else {"expires_in": self.lifetime}
            return 200, {self.name: self.valid, **lifetime}
        is_valid = request.headers.get("Authorization") == f"Bearer {self.valid}"
        return (200, self.document) if is_valid else (401, {})


DUPLICATI = """
[[source]]
name = "dup"
preset = "duplicati"
url = "URL"
values = { backup = "web" }
auth.password = "env:PASSWORD"
[source.subjects]
"acme/web" = {}
"""
BACKUPS = [{"Backup": {"Name": "web", "Metadata": {"LastBackupFinished": "20261123T030410Z"}}}]


def duplicati() -> Tokens:
    return Tokens(
        "/api/v1/auth/login", lambda request: json.loads(request.body) == {"Password": PASSWORD}, BACKUPS, "AccessToken"
    )


def test_the_service_logs_in_to_duplicati_once_and_again_after_a_restart(tmp_path: Path) -> None:
    tokens = duplicati()
    with running(tokens) as system:
        fetch = source_in(tmp_path, DUPLICATI, system.url)
        assert [fetch().status for _ in range(3)] == [BackupStatus.SUCCEEDED] * 3
        assert tokens.count == 1
        tokens.valid = "restarted"
        assert fetch().status is BackupStatus.SUCCEEDED
        assert tokens.count == 2
        assert system.paths()[-3:] == ["/api/v1/backups", "/api/v1/auth/login", "/api/v1/backups"]


def test_a_wrong_password_is_tried_once_per_request(tmp_path: Path) -> None:
    tokens = Tokens("/api/v1/auth/login", lambda request: False, BACKUPS)
    with running(tokens) as system:
        fetch = source_in(tmp_path, DUPLICATI, system.url)
        with pytest.raises(SourceUnavailable, match="unauthorised"):
            fetch()
        assert system.paths() == ["/api/v1/auth/login"]


def test_a_broken_answer_to_a_login_counts_against_the_source(tmp_path: Path) -> None:
    with running(lambda request: (200, {"AccessToken": math.nan})) as system:
        fetch = source_in(tmp_path, DUPLICATI, system.url)
        with pytest.raises(SourceUnavailable, match="badJson") as failed:
            fetch()
        assert not failed.value.is_about_subject


def test_a_token_that_is_always_rejected_is_renewed_once(tmp_path: Path) -> None:
    tokens = duplicati()

    def never(request: Request) -> tuple[int, object]:
        return (401, {}) if request.target.endswith("/backups") else tokens(request)

    with running(never) as system:
        fetch = source_in(tmp_path, DUPLICATI, system.url)
        with pytest.raises(SourceUnavailable, match="unauthorised"):
            fetch()
        assert len(system.requests) == 4


def test_threads_that_are_rejected_at_the_same_time_log_in_once(tmp_path: Path) -> None:
    tokens = duplicati()
    with running(tokens) as system, ThreadPoolExecutor(8) as pool:
        fetch = source_in(tmp_path, DUPLICATI, system.url)
        fetch()
        tokens.valid = "restarted"
        found = list(pool.map(lambda _: fetch().status, range(8)))
        assert found == [BackupStatus.SUCCEEDED] * 8
        assert tokens.count == 2


BAREOS = """
[[source]]
name = "bareos"
preset = "bareos"
url = "URL"
times.timezone = "UTC"
auth = { user = "api", password = "env:PASSWORD" }
[source.subjects]
"acme/web" = { job = "backup-web" }
"""


def bareos_jobs(request: Request) -> list[dict[str, str]]:
    """Return jobs as the director lists them: filtered by the body alone, the oldest first."""
    wanted = json.loads(request.body or "{}")
    is_filtered = request.headers.get("Content-Type") == "application/json" and wanted.get("job") == "backup-web"
    runs = [("backup-web", "22", "f"), ("backup-web", "23", "T")] if is_filtered else [("backup-other", "01", "f")]
    return [
        {
            "name": name,
            "jobstatus": word,
            "starttime": f"2026-11-{day} 03:00:02",
            "endtime": f"2026-11-{day} 03:04:10",
        }
        for name, day, word in runs
    ]


class Bareos(Tokens):
    """bareos-restapi, which expects a form for the login, and whose only parameters are limit and offset."""

    def __init__(self) -> None:
        wanted = {"grant_type": "password", "username": "api", "password": PASSWORD}
        super().__init__("/token", lambda request: request.form == wanted, None, "access_token")

    def __call__(self, request: Request) -> tuple[int, object]:
        status, document = super().__call__(request)
        if status != 200 or document is not None:
            return status, document
        split = urlsplit(request.target)
        is_known = (request.method, split.path) == ("GET", "/control/jobs") and split.query == ""
        return (200, {"jobs": bareos_jobs(request)}) if is_known else (422, {"detail": "no such endpoint"})


def test_bareos_gets_its_login_as_a_form_and_its_filter_in_the_body_of_a_get(tmp_path: Path) -> None:
    with running(Bareos()) as system:
        report = source_in(tmp_path, BAREOS, system.url)()
        assert report.status is BackupStatus.SUCCEEDED
        assert report.finished_at == datetime(2026, 11, 23, 3, 4, 10, tzinfo=UTC)
        assert json.loads(system.requests[1].body) == {"job": "backup-web", "days": 31}


AZURE = """
[[source]]
name = "azure"
preset = "azure-backup"
url = "URL"
values = { subscription = "s-1", group = "rg", vault = "v" }
auth = { token_url = "URL/tenant/oauth2/v2.0/token", client_id = "id", client_secret = "env:PASSWORD" }
[source.subjects]
"acme/web" = { item = "web" }
"""
AZURE_JOBS = {"value": [{"properties": {"entityFriendlyName": "web", "operation": "Backup", "status": "Completed"}}]}


def test_oauth2_tokens_are_renewed_before_they_expire(tmp_path: Path) -> None:
    wanted = {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": PASSWORD,
        "scope": "https://management.azure.com/.default",
    }
    tokens = Tokens("/tenant/oauth2/v2.0/token", lambda request: request.form == wanted, AZURE_JOBS, "access_token")
    tokens.lifetime = 3600
    clock = ManualClock()
    with running(tokens) as system:
        fetch = source_in(tmp_path, AZURE, system.url, clock)
        fetch()
        clock.advance(seconds=3500)
        fetch()
        assert tokens.count == 1
        clock.advance(seconds=80)
        assert fetch().status is BackupStatus.SUCCEEDED
        assert tokens.count == 2
        path = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v/backupJobs"
        assert system.requests[1].target == f"{path}?api-version=2024-04-01"


URBACKUP = """
[[source]]
name = "ub"
preset = "urbackup"
url = "URL"
auth = { user = "admin", password = "env:PASSWORD" }
[source.subjects]
"acme/web" = { client = "web" }
"""
CLIENTS = [
    {"name": "web", "lastbackup": 1795403050, "delete_pending": "", "file_ok": True, "last_filebackup_issues": 0}
]


class UrBackup:
    """UrBackup's login, as its server implements it (login.cpp)."""

    def __init__(self, rounds: int) -> None:
        self.rounds, self.sessions, self.valid = rounds, 0, ""

    def __call__(self, request: Request) -> tuple[int, object]:
        action = parse_qs(urlsplit(request.target).query)["a"][0]
        if action == "salt":
            self.sessions += 1
            self.valid = ""
            challenge = {"ses": f"s{self.sessions}", "salt": "pepper", "rnd": "42"}
            return 200, challenge | ({"pbkdf2_rounds": self.rounds} if self.rounds else {})
        if action == "login":
            is_right = request.form == {"username": "admin", "password": self._proof(), "ses": f"s{self.sessions}"}
            self.valid = f"s{self.sessions}" if is_right else ""
            return 200, {"success": is_right}
        is_valid = bool(self.valid) and request.form.get("ses") == self.valid
        return 200, {"status": CLIENTS} if is_valid else {"error": 1}

    def _proof(self) -> str:
        digest = hashlib.md5(f"pepper{PASSWORD}".encode()).digest()
        text = hashlib.pbkdf2_hmac("sha256", digest, b"pepper", self.rounds).hex() if self.rounds else digest.hex()
        return hashlib.md5(f"42{text}".encode()).hexdigest()


@pytest.mark.parametrize("rounds", [0, 1000])
def test_the_service_logs_in_to_urbackup_with_a_salt_and_again_when_the_session_has_ended(
    tmp_path: Path, rounds: int
) -> None:
    server = UrBackup(rounds)
    with running(server) as system:
        fetch = source_in(tmp_path, URBACKUP, system.url)
        assert fetch().status is BackupStatus.SUCCEEDED
        server.valid = "restarted"
        assert fetch().status is BackupStatus.SUCCEEDED
        assert server.sessions == 2
        assert PASSWORD not in " ".join(request.body.decode() for request in system.requests)


AWS = """
[[source]]
name = "aws"
preset = "aws-backup"
url = "URL"
auth = { region = "eu-central-1", access_key = "env:ACCESS", secret_key = "env:SECRET" }
[source.subjects]
"acme/web" = { resource = "arn:aws:dynamodb:eu-central-1:123456789012:table/web shop" }
"""


def signature_of(request: Request, host: str) -> str:
    """Return the signature that AWS would compute for this request as received."""
    aws_request = AWSRequest(
        request.method, f"http://{host}{request.target}", {"X-Amz-Date": request.headers["X-Amz-Date"]}
    )
    aws_request.context["timestamp"] = request.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI"), "backup", "eu-central-1")
    aws_request.headers["Host"] = host
    return str(signer.signature(signer.string_to_sign(aws_request, signer.canonical_request(aws_request)), aws_request))


def test_aws_can_verify_the_signature_of_the_received_request(tmp_path: Path) -> None:
    with running(lambda request: (200, {"BackupJobs": [{"State": "COMPLETED", "CreationDate": 1795402800}]})) as system:
        assert source_in(tmp_path, AWS, system.url)().status is BackupStatus.SUCCEEDED
        request = system.requests[0]
        assert request.target.startswith("/backup-jobs/?resourceArn=arn%3Aaws%3A")
        authorization = request.headers["Authorization"]
        assert "Credential=AKIDEXAMPLE/" in authorization
        assert authorization.endswith(f"Signature={signature_of(request, system.url.removeprefix('http://'))}")


GITLAB = """
[[source]]
name = "lab"
preset = "gitlab-schedule"
url = "URL"
auth.value = "env:PASSWORD"
[source.subjects]
"GitHub/acme/Repository/web" = { schedule = "13" }
"""


def gitlab(request: Request) -> tuple[int, object]:
    if request.headers.get("PRIVATE-TOKEN") != PASSWORD:
        return 401, {}
    if request.target.endswith("/pipelines/332"):
        return 200, {"id": 332, "status": "success", "finished_at": "2026-11-23T03:04:10Z"}
    return 200, {"id": 13, "active": True, "last_pipeline": {"id": 332, "status": "success"}}


def test_the_follow_up_request_has_values_from_the_first_answer(tmp_path: Path) -> None:
    with running(gitlab) as system:
        report = source_in(tmp_path, GITLAB, system.url)()
        assert report.finished_at == datetime(2026, 11, 23, 3, 4, 10, tzinfo=UTC)
        assert system.paths() == [
            "/api/v4/projects/acme%2Fweb/pipeline_schedules/13",
            "/api/v4/projects/acme%2Fweb/pipelines/332",
        ]


def test_a_404_to_the_follow_up_request_leaves_the_first_answer(tmp_path: Path) -> None:
    def forgetful(request: Request) -> tuple[int, object]:
        return (404, {}) if "/pipelines/" in request.target else gitlab(request)

    with running(forgetful) as system:
        report = source_in(tmp_path, GITLAB, system.url)()
        assert (report.status, report.finished_at) == (BackupStatus.SUCCEEDED, None)


def test_a_failed_follow_up_request_leaves_no_answer(tmp_path: Path) -> None:
    def broken(request: Request) -> tuple[int, object]:
        return (500, {}) if "/pipelines/" in request.target else gitlab(request)

    with running(broken) as system, pytest.raises(SourceUnavailable, match="http5xx"):
        source_in(tmp_path, GITLAB, system.url)()
