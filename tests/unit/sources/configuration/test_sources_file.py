"""sources.toml: all faults reported together, with file, source and key; and which source answers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badge.model import BackupStatus, Subject
from badge.settings import BadSettings
from badge.sources.configuration.entry import Entry
from badge.sources.configuration.factory import build_routing
from badge.sources.configuration.sources_file import _Reading, load
from badge.sources.recipes import presets
from badge.sources.recipes.json_file import JsonFileSource
from badge.sources.recipes.recipe import RECIPE_KEYS, Outcome
from badge.sources.routing import Routing
from tests.doubles import ManualClock, RecordedEvents, ScriptedSource
from tests.pages import HOW_TO, PROJECT, SYSTEMS, AnySecret, output_for, sources_of

SECRET = "hunter2-secret"
ENVIRONMENT = {"HC_KEY": SECRET, "EMPTY": ""}

GOOD = """
[[source]]
name = "hc"
preset = "healthchecks"
url = "https://hc.example.org"
match = { platform = ["GitHub", "GitLab"], account = "acme*", type = "Repository" }
auth.value = "env:HC_KEY"

[[source]]
name = "nas"
preset = "restic"
file = "/var/lib/badge/restic.json"
stale_after = "26h"
[source.subjects]
"GitHub/other/Repository/web" = {}

[[source]]
name = "own"
kind = "catalogue"
match = { platform = "AzureDevOps" }
"""


RESTIC = '[[source]]\nname = "x"\npreset = "restic"\nstale_after = "26h"\nfile = "/a"\n'
WEB_ALONE = 'subjects = { "acme/web" = {} }\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "sources.toml"
    file.write_text(text)
    return file


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadSettings) as raised:
        load(written(folder, text), ENVIRONMENT)
    return [str(fault) for fault in raised.value.faults]


def routing_of(folder: Path, text: str) -> Routing:
    configured = load(written(folder, text), ENVIRONMENT)
    return build_routing(configured, catalogue_named, ManualClock(), RecordedEvents())


def catalogue_named(name: str) -> ScriptedSource:
    return ScriptedSource(lambda _: pytest.fail("not to be called"), name=name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("GitHub/acme/Repository/web", "hc"),
        ("gitlab/ACME-labs/repository/a/b", "hc"),
        ("GitHub/other/Repository/web", "nas"),
        ("github/Other/Repository/WEB", "nas"),
        ("AzureDevOps/org/Repository/p/r", "own"),
        ("GitHub/other/Repository/api", None),
        ("Gitea/acme/Repository/web", None),
        ("GitHub/acme/Project/web", None),
    ],
)
def test_the_first_source_that_matches_a_subject_answers_for_it(tmp_path: Path, path: str, name: str | None) -> None:
    source = routing_of(tmp_path, GOOD).source_for(Subject.from_path(path))
    assert (source.name if source else None) == name


def test_accounts_are_case_sensitive_where_their_platform_is(tmp_path: Path) -> None:
    text = GOOD.replace('"AzureDevOps"', '"Gitea", account = "acme"')
    routing = routing_of(tmp_path, text)
    assert routing.source_for(Subject.parse("gitea", "acme", "x", "y")) is not None
    assert routing.source_for(Subject.parse("gitea", "ACME", "x", "y")) is None


def test_a_subject_s_own_values_override_the_source_s(tmp_path: Path) -> None:
    text = """
    [[source]]
    name = "lab"
    preset = "gitlab-schedule"
    url = "https://gitlab.example.org"
    values = { schedule = "1" }
    auth.value = "env:HC_KEY"
    match = { platform = "GitLab", type = "Repository" }
    [source.subjects]
    "GitLab/acme/Repository/web" = { schedule = "13" }
    """
    matcher = load(written(tmp_path, text), ENVIRONMENT)[0].matcher
    assert matcher.values_for(Subject.from_path("GitLab/acme/Repository/web")) == {"schedule": "13"}
    assert matcher.values_for(Subject.from_path("GitLab/acme/Repository/api")) == {"schedule": "1"}


def test_all_faults_are_reported_together_and_once_each_with_file_source_and_key(tmp_path: Path) -> None:
    text = """
    x = 1

    [[source]]
    name = "hc"
    preset = "healthchecks"
    url = "hc.example.org"
    stale_after = "soon"
    surprise = 1
    match = { platform = "GitHub", typ = "Repository" }
    subjects = { "web" = { job = "a" } }
    rules = [{ when = "!a.b", status = "fine" }]
    auth.value = "env:NOWHERE"

    [[source]]
    name = "hc"
    kind = "http"
    match = { platform = "GitHub", account = "acme", type = "Repository" }
    stale_after = "soon"

    [[source]]
    preset = "helthchecks"
    stale_after = "soon"
    visibility = "secret"
    subjects = { "web" = {} }

    [[source]]
    name = "X y"
    kind = "file"
    state = "state"
    files = "/a"
    max_bytes = 1
    request = { path = "/{job}" }
    """
    assert faults_of(tmp_path, text) == [
        "sources.toml: x is not a key of this file; write sources as [[source]] tables",
        "sources.toml: hc: surprise: there is no such key",
        "sources.toml: hc: match.typ: there is no such key",
        "sources.toml: hc: url: must be an absolute http:// or https:// URL",
        "sources.toml: hc: auth.value: set the environment variable NOWHERE; it is missing or empty",
        'sources.toml: hc: subjects."web": use owner/repository or platform/account/type/name',
        "sources.toml: hc: rules[0].when: contains !a.b, which JMESPath reads as (!a).b, always null; write !(a.b)",
        f"sources.toml: hc: rules[0].status: must be {OUTCOMES} or absent",
        "sources.toml: hc: stale_after: must be a number and a unit, such as 250ms, 90s, 15m, 26h or 7d",
        "sources.toml: hc: values.job: is not used; remove it, or use {job} in the recipe",
        "sources.toml: hc: name: is used by two sources; each needs a name of its own",
        "sources.toml: hc: url: is missing; give the system's address",
        "sources.toml: hc: stale_after: must be a number and a unit, such as 250ms, 90s, 15m, 26h or 7d",
        "sources.toml: hc: give rules, or state and map; otherwise no status can be read",
        "sources.toml: hc: match.name: set a value without wildcards, or use {subjectName} in the recipe",
        "sources.toml: source 3: preset: there is no such preset; did you mean healthchecks?",
        "sources.toml: source 3: name: is missing",
        "sources.toml: source 3: visibility: must be public or private",
        'sources.toml: source 3: subjects."web": use owner/repository or platform/account/type/name',
        "sources.toml: source 3: stale_after: must be a number and a unit, such as 250ms, 90s, 15m, 26h or 7d",
        "sources.toml: X y: files: there is no such key; did you mean file?",
        'sources.toml: X y: request: can\'t be used with kind = "file"',
        "sources.toml: X y: file: use either file or folder",
        "sources.toml: X y: name: has characters that are not allowed, or is too long",
        "sources.toml: X y: max_bytes: must be 1024 or more",
        "sources.toml: X y: state needs map: give the status for each of its values",
        *(
            f"sources.toml: X y: match.{part}: set a value without wildcards, or use {{{name}}} in the recipe"
            for part, name in PARTS
        ),
    ]


PARTS = [("platform", "platform"), ("account", "account"), ("type", "subjectType"), ("name", "subjectName")]


UNREADABLE = {
    "a request that can't be read": 'request = { path = "/{job|shout}" }\nvalues = { job = "a" }\n',
    "a match that can't be read": 'match = { typ = "x" }\nrequest = { path = "/{subjectName}" }\n',
    "subjects that can't be read": 'subjects = { "acme/web" = 1 }\nrequest = { path = "/{job}" }\n',
    "values that can't be read": 'values = { job = 1 }\nrequest = { path = "/{job}" }\n',
}


def test_samples_are_not_checked_with_invalid_values(tmp_path: Path) -> None:
    where = 'where = [{ expr = "name", equals = "{job}" }]\nvalues = { job = "a", other = 1 }\n'
    sample = SAMPLE.replace('{"ok": false}', '{"name": "a", "ok": true}')
    assert faults_of(tmp_path, HTTP + where + ALL_NAMES + sample) == ["sources.toml: x: values.other: must be text"]


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_key_is_reported_without_the_faults_that_follow_from_it(tmp_path: Path, text: str) -> None:
    text = text if "match" in text or "subjects" in text else text + WEB_ALONE
    assert len(faults_of(tmp_path, HTTP + text)) == 1


OUTCOMES = ", ".join(outcome.value for outcome in Outcome if outcome is not Outcome.ABSENT)

HEAD = '[[source]]\nname = "x"\n'
HTTP = HEAD + 'kind = "http"\nurl = "http://up.example"\nrules = [{ when = "ok", status = "succeeded" }]\n'
ALL_NAMES = '[source.request]\nquery = { q = "{platform}/{account}/{subjectType}/{subjectName}" }\n'

SAMPLE = """
[[source.samples]]
name = "up"
body = '{"ok": false}'
expect = { status = "succeeded" }
"""

WRONG = {
    "not TOML": ("[[source", "is not valid TOML"),
    "no source": ("x = 1", "must have at least one [[source]]"),
    "a source that is not a table": ("source = 1", "must have at least one [[source]]"),
    "a name with other characters": (HTTP.replace('"x"', '"X y"') + ALL_NAMES, "has characters that are not allowed"),
    "no kind": (HEAD + 'url = "http://up.example"\n', "kind: is missing"),
    "an unused value": (HTTP + 'values = { job = "a" }\n' + ALL_NAMES, "values.job: is not used"),
    "a placeholder without a value": (
        HTTP + '[source.request]\npath = "/{jbo}"\n',
        "values.jbo: is missing: the recipe uses {jbo}",
    ),
    "a request that does not depend on the subject": (HTTP, "match.name: set a value without wildcards"),
    "a secret in the file": (
        HTTP + ALL_NAMES + f'[source.auth]\nkind = "bearer"\ntoken = "{SECRET}"\n',
        "auth.token: must be env:NAME or file:/path",
    ),
    "an empty secret": (HTTP + ALL_NAMES + '[source.auth]\nkind = "bearer"\ntoken = "env:EMPTY"\n', "variable EMPTY"),
    "a missing file": (
        HTTP + ALL_NAMES + '[source.auth]\nkind = "bearer"\ntoken = "file:/nowhere/x"\n',
        "auth.token: the file can't be read: No such file",
    ),
    "an unknown kind of auth": (
        HTTP + ALL_NAMES + '[source.auth]\nkind = "magic"\n',
        "auth: must have kind = none, header",
    ),
    "no kind of auth": (
        HTTP + ALL_NAMES + '[source.auth]\ntoken = "env:HC_KEY"\n',
        "auth: has no kind; use none, header",
    ),
    "an auth that is not a table": (HTTP + "auth = 1\n" + ALL_NAMES, "auth: must be a table"),
    "a login with other placeholders": (
        HTTP + ALL_NAMES + '[source.auth]\nkind = "login"\npath = "/t"\nbody = { a = "{account}" }\n'
        'password = "env:HC_KEY"\ntoken = "t"\n',
        "auth.body: may contain only the placeholders {user} and {password}",
    ),
    "a native source without address": (HEAD + 'kind = "native"\n', "url: is missing"),
    "a recipe on a native source": (
        HEAD + 'kind = "native"\nurl = "http://up.example"\nstale_after = "1h"\n',
        'stale_after: can\'t be used with kind = "native"',
    ),
    "a file and a folder": (
        RESTIC + 'folder = "/b"\n' + WEB_ALONE,
        "file: use either file or folder",
    ),
    "a folder as the file": (RESTIC.replace('"/a"', '"/"') + WEB_ALONE, "file: is a folder; use the key `folder`"),
    "a request to a file": (
        RESTIC + 'request = { path = "/" }\n' + WEB_ALONE,
        'request: can\'t be used with preset = "restic", which has kind = "file"',
    ),
    "no pattern at all": (RESTIC + "match = { account = [] }\n", "match.account: must have at least one pattern"),
    "a pattern that is not text": (RESTIC + "match = { account = 1 }\n", "match.account: must be a list"),
    "a pattern that no subject can have": (
        RESTIC + 'match = { account = ["acme", "a/../b"] }\n',
        "match.account: account has a part that is empty, '.' or '..'",
    ),
    "a subject twice": (
        RESTIC + 'subjects = { "acme/web" = {}, "GitHub/Acme/repository/Web" = {} }\n',
        'subjects."GitHub/Acme/repository/Web": is the same subject as "acme/web"',
    ),
    "an invalid subject": (
        RESTIC + 'subjects = { "web" = {} }\n',
        'subjects."web": use owner/repository',
    ),
    "one file for all": (
        RESTIC,
        "match.platform: set a value without wildcards, or use {platform} in the recipe",
    ),
    "no promql": (HEAD + 'preset = "prometheus"\nurl = "http://p"\n', "promql: is required"),
    "PromQL with a name outside of quotes": (
        HEAD + 'preset = "prometheus"\nurl = "http://p"\npromql = "up{job={account}}"\n',
        'promql: has a placeholder outside "double quotes"',
    ),
    "a missing CA file": (HTTP + 'ca_file = "/nowhere/ca.pem"\n' + ALL_NAMES, "ca_file: there is no such file"),
    "a CA file that can't be accessed": (
        HTTP + f'ca_file = "/{"a" * 300}"\n' + ALL_NAMES,
        "ca_file: there is no such file",
    ),
    "a sample with another result": (
        HTTP
        + ALL_NAMES
        + '[[source.samples]]\nname = "up"\nbody = \'{"ok": false}\'\nexpect = { status = "succeeded" }\n',
        "samples \"up\": status is 'unknown', expected 'succeeded'",
    ),
    "a sample that is not JSON": (
        HTTP + ALL_NAMES + SAMPLE.replace("false}", "fals"),
        "samples[0].body: is not valid JSON",
    ),
    "a sample with an invalid subject": (
        HTTP + ALL_NAMES + SAMPLE + 'subject = "web"',
        "samples[0].subject: use owner/repository",
    ),
    "a sample at a time without a zone": (
        HTTP + ALL_NAMES + SAMPLE + "at = 2026-11-23T12:00:00",
        "samples[0].at: must be a time with a zone",
    ),
    "a sample with invalid options": (
        HTTP + ALL_NAMES + SAMPLE + 'options = { stale_as = "green" }',
        "stale_as: must be failed or unknown",
    ),
    "a file name that leaves its folder": (
        RESTIC.replace("file =", "folder =") + 'file_name = "../{account}"\n' + WEB_ALONE,
        "file_name: must be a file name without /",
    ),
    "a file name with an unknown transform": (
        RESTIC.replace("file =", "folder =") + 'file_name = "{account|shout}"\n' + WEB_ALONE,
        "file_name: has the unknown transform |shout; use slug or lower",
    ),
    "an expression that fails on the preset's own samples": (
        RESTIC + WEB_ALONE + 'rules = [{ when = "starts_with(summary.x, \'a\')", status = "succeeded" }]\n',
        "fails on the preset's sample \"restic 0.14 only gives a snapshot's start\": starts_with(summary.x, 'a'): ",
    ),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_fault_is_reported_without_the_given_value(tmp_path: Path, text: str, words: str) -> None:
    reported = "\n".join(faults_of(tmp_path, text))
    assert words in reported
    assert SECRET not in reported


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_without_a_required_key_is_a_fault(tmp_path: Path, name: str) -> None:
    required = presets.preset(name).requires.keys() - presets.preset(name).recipe.keys()
    if not required:
        return
    faults = faults_of(tmp_path, f'{HEAD}preset = "{name}"\nsubjects = {{ "acme/web" = {{}} }}\n')
    for key in required:
        assert any(f": {key}: is required" in fault for fault in faults)


JUNK = st.sampled_from([True, -1, 10**30, 1.5, "", "x", "{a}", "{a|b}", [], ["x"], {}, {"x": "y"}, [{"when": 1}]])
KEYS = sorted((Entry.model_fields.keys() | RECIPE_KEYS | {"preset"}) - {"file", "folder", "ca_file"})
JUNK_TABLES = st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=6)


@given(JUNK_TABLES, st.sampled_from(presets.names()))
@settings(max_examples=200)
def test_any_content_of_a_source_is_accepted_or_a_fault(junk: dict[str, object], name: str) -> None:
    table = {"name": "x", "preset": name, "url": "http://up.example", "subjects": {"acme/web": {}}, **junk}
    reading = _Reading("sources.toml", ENVIRONMENT)
    assert reading.sources([table]) or reading.faults


def test_an_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"BADGE_SOURCES: .*No such file"):
        load(tmp_path / "missing.toml")


def test_a_source_can_override_parts_of_its_preset(tmp_path: Path) -> None:
    text = GOOD.replace('auth.value = "env:HC_KEY"', 'auth.value = "env:HC_KEY"\nmap.paused = "scheduled"')
    recipe = load(written(tmp_path, text), ENVIRONMENT)[0].recipe
    assert recipe is not None
    assert (recipe.map["paused"], recipe.map["up"]) == ("scheduled", "succeeded")


def test_an_auth_table_of_another_kind_replaces_the_preset_s(tmp_path: Path) -> None:
    text = GOOD.replace('auth.value = "env:HC_KEY"', 'auth = { kind = "basic", user = "u", password = "env:HC_KEY" }')
    assert load(written(tmp_path, text), ENVIRONMENT)[0].entry.auth is not None


@pytest.mark.parametrize("content", ["", " \n", "a\nb", "x" * 20_000])
def test_a_file_without_a_usable_secret_is_a_fault(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    text = GOOD.replace("env:HC_KEY", f"file:{tmp_path / 'key'}")
    assert faults_of(tmp_path, text) == [
        "sources.toml: hc: auth.value: the secret has to be one line of 1 to 16384 printable characters"
    ]


def test_a_source_ignores_case_only_if_configured(tmp_path: Path) -> None:
    web, shouted = Subject.legacy("acme", "web"), Subject.legacy("ACME", "Web")
    source = routing_of(tmp_path, GOOD).sources[0]
    assert source.cache_key(web) != source.cache_key(shouted)
    source = routing_of(tmp_path, GOOD.replace('name = "hc"', 'name = "hc"\nfolds_case = true')).sources[0]
    assert source.cache_key(web) == source.cache_key(shouted)


def test_no_secret_appears_in_a_repr(tmp_path: Path) -> None:
    configured = load(written(tmp_path, GOOD), ENVIRONMENT)
    assert SECRET not in repr(configured)
    assert SECRET not in repr(routing_of(tmp_path, GOOD))


def test_a_configured_file_source_reads_its_file(tmp_path: Path) -> None:
    (tmp_path / "restic.json").write_text('[{"time": "2026-11-23T11:00:00Z"}]')
    text = GOOD.replace("/var/lib/badge", str(tmp_path))
    source = routing_of(tmp_path, text).sources[1]
    assert isinstance(source, JsonFileSource)
    subject = Subject.from_path("GitHub/other/Repository/web")
    assert source.fetch(subject, None, None).status is BackupStatus.SUCCEEDED  # type: ignore[arg-type] # reading a file needs no deadline


PAGES = [*SYSTEMS, HOW_TO / "own-system.md", HOW_TO / "sources.md", PROJECT / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_in_the_documentation_are_valid(page: Path) -> None:
    assert sources_of(page)


@pytest.mark.parametrize("page", SYSTEMS, ids=lambda page: page.stem)
def test_each_system_s_page_ends_with_the_output_of_try(page: Path) -> None:
    assert page.read_text().endswith(f"and the status:\n\n{output_for(page)}"), "run: python -m tests.pages"


def test_the_example_file_is_valid(tmp_path: Path) -> None:
    text = (PROJECT / "config" / "sources.toml.example").read_text()
    assert [source.entry.name for source in load(written(tmp_path, text), AnySecret())] == ["hc", "restic", "own"]


def test_every_preset_has_a_page_and_every_page_is_in_the_tables() -> None:
    pages = {page.stem: page.read_text() for page in SYSTEMS}
    for name in presets.names():
        assert any(f"`{name}`" in text or f'"{name}"' in text for text in pages.values()), name
    for page in pages:
        assert f"(systems/{page}.md)" in (HOW_TO / "sources.md").read_text()
        assert f"(docs/how-to/systems/{page}.md)" in (PROJECT / "README.md").read_text()


def keys_in_tables(page: str) -> set[str]:
    cells = re.findall(r"^\| (`[^|]+) \|", (PROJECT / "docs" / page).read_text(), re.MULTILINE)
    return {word.partition(".")[0] for cell in cells for word in re.findall(r"`([a-z_.]+)`", cell)}


def test_every_key_is_documented() -> None:
    documented = keys_in_tables("reference/sources-toml.md")
    assert Entry.model_fields.keys() | RECIPE_KEYS <= documented


AWS = """
[[source]]
name = "aws"
preset = "aws-backup"
url = "https://backup.eu-central-1.amazonaws.com"
auth = { region = "eu-central-1", access_key = "env:HC_KEY", secret_key = "env:HC_KEY" }
stale_after = "26h"
subjects = { "acme/web" = { resource = "arn:aws:dynamodb:eu-central-1:123456789012:table/web" } }
"""

WITHOUT_BOTOCORE = """
import sys
from pathlib import Path
sys.modules["botocore"] = None  # as if it were not installed
from badge.settings import BadSettings
from badge.sources.configuration.sources_file import load
try:
    load(Path(sys.argv[1]), {"HC_KEY": "k"})
except BadSettings as bad:
    print(bad)
"""


def test_aws_without_botocore_is_a_fault_that_says_what_to_install(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(AWS)
    command = [sys.executable, "-c", WITHOUT_BOTOCORE, str(file)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert ".venv/bin/pip install --no-deps --require-hashes -r requirements-aws.txt" in output
    assert (PROJECT / "requirements-aws.txt").exists()
