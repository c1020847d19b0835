"""`badge sources` in a shell, and a service with several sources."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

from tests.fault_server import SECRET, running_fault_server
from tests.servers import BIN, PROJECT, clean_environment, eventually, flask_badge, running_service

KEY = "canary-of-the-key"

FILE = """
[[source]]
name = "api"
kind = "http"
url = "URL"
match = { platform = "GitHub", account = "acme", type = "Repository" }
state = "status"
map = { succeeded = "succeeded", failed = "failed" }
request = { path = "/jobs/{subjectName}" }
fields = { finishedAt = "finishedAt" }
auth = { kind = "bearer", token = "env:KEY" }

[[source]]
name = "nas"
preset = "restic"
folder = "FOLDER"
match = { platform = "GitLab", type = "Repository" }
stale_after = "26h"

[[source]]
name = "own"
kind = "catalogue"
match = { platform = "AzureDevOps" }
"""


def written(folder: Path, url: str) -> dict[str, str]:
    file = folder / "sources.toml"
    file.write_text(FILE.replace("URL", url).replace("FOLDER", str(folder)))
    return {"BADGE_SOURCES": str(file), "BADGE_DATA_DIR": str(folder / "data"), "KEY": KEY}


def test_check_validates_the_file_and_calls_the_sources_only_with_live(tmp_path: Path) -> None:
    with running_fault_server() as server:
        settings = written(tmp_path, server.url)
        done = flask_badge("sources", "check", **settings)
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split()[:2] for line in done.stdout.splitlines()] == [["ok", "api"], ["ok", "nas"], ["ok", "own"]]
        assert server.asked == []
        server.mode = "401"
        live = flask_badge("sources", "check", "--live", "--json", **settings)
        assert live.returncode == 1
        found = {document["name"]: document for document in map(json.loads, live.stdout.splitlines())}
        assert found["api"]["said"] == "does not answer: unauthorised"
        assert found["nas"]["fine"]
        assert server.asked[0].target == "/jobs/doctor-probe"


def test_check_reports_each_fault_on_a_line_of_its_own_with_exit_code_2(tmp_path: Path) -> None:
    settings = written(tmp_path, "http://up.example") | {"KEY": ""}
    file = Path(settings["BADGE_SOURCES"])
    file.write_text(file.read_text() + '[[source]]\nname = "nas"\nkind = "ftp"\n')
    for command in (["sources", "check"], ["sources", "try", "api", "acme/web"], ["status", "acme/web"]):
        done = flask_badge(*command, **settings)
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            "Error: sources.toml: api: auth.token: set the environment variable KEY; it is missing or empty",
            "sources.toml: nas: name: is used by two sources; each needs a name of its own",
            "sources.toml: nas: kind: must be http, file, catalogue or native",
        ]


def test_try_shows_each_step_without_secrets(tmp_path: Path) -> None:
    with running_fault_server() as server:
        done = flask_badge("sources", "try", "api", "acme/web", **written(tmp_path, server.url))
        assert done.returncode == 0
        assert f"GET {server.url}/jobs/web\n  Authorization: <secret>\nanswer: HTTP 200" in done.stdout
        assert "state: 'succeeded': succeeded" in done.stdout
        assert '"status": "succeeded"' in done.stdout
        assert KEY not in done.stdout + done.stderr
        server.mode = "500"
        broken = flask_badge("sources", "try", "api", "acme/web", **written(tmp_path, server.url))
        assert (broken.returncode, broken.stderr.splitlines()[-1]) == (1, "Error: The source did not answer: http5xx.")


NATIVE = """
[[source]]
name = "up"
kind = "native"
url = "URL"
api_key = "env:KEY"
"""


def test_try_shows_the_requests_to_a_native_source_and_to_the_catalogue(tmp_path: Path) -> None:
    with running_fault_server() as server:
        settings = written(tmp_path, server.url)
        file = Path(settings["BADGE_SOURCES"])
        file.write_text(file.read_text() + NATIVE.replace("URL", server.url))
        done = flask_badge("sources", "try", "up", "acme/web", **settings)
    query = "platform=GitHub&account=acme&subjectType=Repository&subjectName=web"
    assert f"GET {server.url}/ops/status?{query}\n  X-API-Key: <secret>\nanswer: HTTP 200" in done.stdout
    assert '"status": "succeeded"' in done.stdout
    assert KEY not in done.stdout + done.stderr
    own = flask_badge("sources", "try", "own", "AzureDevOps/org/Repository/p/r", **settings)
    assert own.stdout.startswith("looked up in the catalogue: AzureDevOps/org/Repository/p/r\n")


def test_try_shows_no_control_characters(tmp_path: Path) -> None:
    settings = written(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "group+web.json").write_bytes(b'[{"time": "\x1b[2Jnow", "x": "\xe2\x80\xae\x9b31m"}]')
    done = flask_badge("sources", "try", "nas", "GitLab/group/Repository/web", **settings)
    assert '"time": "\ufffd[2Jnow"' in done.stdout
    assert all(sign.isprintable() or sign == "\n" for sign in done.stdout + done.stderr)


def test_try_says_which_source_answers_for_a_subject(tmp_path: Path) -> None:
    settings = written(tmp_path, "http://127.0.0.1:9")
    done = flask_badge("sources", "try", "nas", "Gitea/acme/Repository/web", **settings)
    assert done.stdout.startswith("Note: the badge of Gitea/acme/Repository/web uses no source.\n")
    assert flask_badge("sources", "try", "nobody", "acme/web", **settings).returncode == 2


def test_check_config_asks_each_source(tmp_path: Path) -> None:
    done = flask_badge("check-config", **written(tmp_path, "http://127.0.0.1:9"))
    assert done.returncode == 1
    assert re.search(r"FAIL source +api: connect", done.stdout)
    assert re.search(r"ok +source +nas: answers", done.stdout)


def test_presets_are_listed() -> None:
    listed = flask_badge("sources", "presets").stdout
    assert re.search(r"^healthchecks +Healthchecks", listed, re.MULTILINE)


def test_a_bad_sources_file_stops_the_start_and_reports_all_faults(tmp_path: Path) -> None:
    environment = {**clean_environment(), **written(tmp_path, "nonsense"), "KEY": ""}
    command = [str(BIN / "gunicorn"), "-c", "config/gunicorn.conf.py"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "sources.toml: api: url: must be an absolute" in done.stderr
    assert "sources.toml: api: auth.token: set the environment variable KEY; it is missing or empty" in done.stderr


def write_snapshot(folder: Path, hours_ago: float) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours_ago * 3600))
    file = folder / "group%2Fsub+web.json.tmp"
    file.write_text(json.dumps([{"time": moment}]))
    file.replace(folder / "group%2Fsub+web.json")


def test_a_service_asks_the_source_of_each_subject_and_counts_by_source(tmp_path: Path) -> None:
    with running_fault_server() as server:
        settings = written(tmp_path, server.url)
        write_snapshot(tmp_path, 1)
        with running_service(tmp_path / "data", BADGE_FRESH_FINISHED="1s", BADGE_WORKERS="1", **settings) as service:
            assert service.get("/badge/acme/web.txt").text == "succeeded\n"
            assert service.get("/badge/GitLab/group%2Fsub/Repository/web.txt").text == "succeeded\n"
            assert service.get("/badge/Gitea/acme/Repository/web.txt").status_code == 404
            flask_badge("report", "AzureDevOps/org/Repository/p/r", "failed", **settings)
            assert service.get("/badge/AzureDevOps/org/Repository/p/r.txt").text == "failed\n"
            write_snapshot(tmp_path, 48)
            assert eventually(
                lambda: service.get("/badge/GitLab/group%2Fsub/Repository/web.txt").text == "failed\n", 10
            )
            server.mode = "403-ratelimit"
            assert service.get("/badge/acme/api.txt").status_code == 503
            metrics = service.get("/metrics").text
        assert 'badge_source_calls_total{outcome="rateLimited",source="api"} 1.0' in metrics
        assert "badge_subjects_unrouted_total 1.0" in metrics
        log = service.log.read_text()
        assert KEY not in log
        assert SECRET not in log
