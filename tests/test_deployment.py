"""The unit, the image, the Compose file and the manifests: each by its own tool or schema, and against what they run."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from monitor.checks import load_runnable
from monitor.cli import slicewatch
from monitor.daemon_settings import DaemonShape, LogShape
from monitor.ending import CUT_OFF
from monitor.logs import KEYS
from monitor.settings import Settings, load_settings, parse_settings
from rules.duration import parse_duration
from tests.containerfile import instructions, problems
from tests.monitor.commands.place import Place

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SLACK = timedelta(seconds=10)
"""At least so much longer than its grace time a process is let live: it ends by itself, and says what it left."""


def settings_of(folder: Path) -> Settings:
    """Of an example, without a word of `check` about it or its rules."""
    settings = load_settings(folder / "slicewatch.toml", {})
    loaded = load_runnable(settings)
    assert [problem.render() for problem in loaded.problems] == []
    assert loaded.rules
    return settings


def files_of(settings: Settings) -> set[str]:
    """The files that secrets are read from."""
    return {secret.source for secret in settings.secrets() if secret.kind == "file"}


# --- systemd ----------------------------------------------------------------------------------------------------------

UNIT = EXAMPLES / "systemd" / "slicewatch.service"


class _Repeated(dict[str, str]):
    """A key that stands twice holds both lines."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, [*self[key], *value] if isinstance(value, list) and key in self else value)


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, dict_type=_Repeated, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(UNIT)
    return parser


def test_the_unit_is_one_of_systemds(tmp_path):
    """By systemd's own tool, which knows each key and value; with this machine's program in place of the installed one."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("no systemd-analyze")
    text = UNIT.read_text()
    assert "ExecStart=/opt/slicewatch/bin/slicewatch run " in text
    text = text.replace("/opt/slicewatch/bin/slicewatch", str(Path(sys.prefix, "bin", "slicewatch")))
    told = {}
    for name, changed in (("sound", text), ("broken", text.replace("ProtectHome=", "ProtectHomes="))):
        file = tmp_path / f"{name}.service"
        file.write_text(changed)
        ran = subprocess.run([tool, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False)
        told[name] = ran.stdout + ran.stderr
    assert told["sound"] == ""
    assert "Unknown key" in told["broken"]


def test_the_unit_fits_the_settings_beside_it():
    """It is told what the program says, waits longer than the grace time, and loads each secret that is read."""
    service, settings = unit()["Service"], settings_of(UNIT.parent)
    assert service["Type"] == "notify"
    assert service["SuccessExitStatus"] == str(CUT_OFF)
    assert parse_duration(service["TimeoutStopSec"]) >= settings.daemon.grace + SLACK
    loaded = {line.split(":")[0] for line in service["LoadCredential"].splitlines()}
    assert files_of(settings) == {f"/run/credentials/slicewatch.service/{name}" for name in loaded}
    assert settings.store_url() == f"sqlite:////var/lib/{service['StateDirectory']}/slicewatch.db"


def test_the_unit_may_do_little():
    """Nobody's account, no capability, nothing of the system to write to."""
    service = unit()["Service"]
    assert (service["DynamicUser"], service["ProtectSystem"], service["NoNewPrivileges"]) == ("yes", "strict", "yes")
    assert service["CapabilityBoundingSet"] == ""
    assert "User" not in service


# --- image ------------------------------------------------------------------------------------------------------------

CONTAINERFILE = (ROOT / "Containerfile").read_text()


def test_the_image_is_made_as_it_should_be():
    """See `tests.containerfile`."""
    assert problems(CONTAINERFILE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("PYTHON=3.13-slim-trixie", "PYTHON=latest", "names no version"),
        ("FROM python:${PYTHON}\n", "FROM python\n", "whatever is newest"),
        ("USER 10001:10001", "USER slicewatch", "runs as root"),
        ("USER 10001:10001", "USER 0:0", "runs as root"),
        ("COPY rules rules", "ADD https://example.com/rules.tar.gz rules", "ADD unpacks"),
        ("--require-hashes --only-binary :all: --requirement requirements/image.txt", "duckdb", "without hashes"),
        ('ENTRYPOINT ["slicewatch"]', "ENTRYPOINT slicewatch", "goes through a shell"),
        ("STOPSIGNAL SIGTERM\n", "", "has no STOPSIGNAL"),
        ("RUN pip uninstall --yes pip", "RUN apt-get install --yes gcc", "the last stage builds"),
        ("PYTHONUNBUFFERED=1", "SLACK_TOKEN=xoxb-1", "a secret in the image"),
        (" AS build", "", "there is no stage build"),
    ],
)
def test_a_mistake_in_the_image_is_found(old, new, said):
    """Each is the shipped file with one thing changed."""
    assert old in CONTAINERFILE
    changed = CONTAINERFILE.replace(old, new)
    assert any(said in told for told in problems(changed)), problems(changed)


def test_what_the_image_is_built_from_is_there_and_gets_into_the_build():
    """Every file that is copied is in the checkout and let through; nothing else is but what pip and hatchling need."""
    let_through = {
        line[1:].strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = [
        name
        for item in instructions(CONTAINERFILE)
        if item.word == "COPY" and not item.flags
        for name in item.words[:-1]
    ]
    assert {*copied, "Containerfile"} == let_through
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_image_has_the_versions_that_are_tested():
    """What it installs is pinned as in the development lock; PostgreSQL's driver and the sign-in are in it."""
    pinned = {name: pins(ROOT / "requirements" / f"{name}.txt") for name in ("image", "build", "dev")}
    assert pinned["image"].items() <= pinned["dev"].items()
    assert pinned["build"].items() <= pinned["dev"].items()
    assert {"psycopg", "psycopg-binary", "authlib", "apprise"} <= set(pinned["image"])
    assert "pytest" not in pinned["image"]


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", lock.read_text(), re.MULTILINE))


# --- Compose ----------------------------------------------------------------------------------------------------------

COMPOSE = EXAMPLES / "compose" / "compose.yaml"


def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return made


def compose_schema() -> Any:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(vendored.read_text(encoding="utf-8"))


def test_the_compose_file_is_one():
    """By the schema of the Compose specification, which refuses a key that it does not know."""
    found = compose()
    jsonschema.validate(found, compose_schema())
    found["services"]["daemon"]["read_onyl"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, compose_schema())


def test_no_service_of_the_compose_file_may_do_much():
    """Read-only, without capabilities, each with a health check and an image of a version."""
    for name, service in compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert re.search(r":\d", service["image"]), name


def test_the_compose_file_fits_the_settings_beside_it():
    """Two daemons on PostgreSQL, stopped later than they stop; each secret that is read is one that is handed in."""
    found, settings = compose(), settings_of(COMPOSE.parent)
    services, secrets = found["services"], found["secrets"]
    assert services["daemon"]["deploy"]["replicas"] == 2
    assert (services["daemon"]["command"], services["pages"]["command"]) == (["run"], ["serve"])
    for name in ("daemon", "pages"):
        service = services[name]
        assert files_of(settings) == {f"/run/secrets/{secret}" for secret in service["secrets"]}
        assert set(service["secrets"]) <= set(secrets)
        assert parse_duration(service["stop_grace_period"]) >= settings.daemon.grace + SLACK
        assert (COMPOSE.parent / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        for volume in service["volumes"]:
            assert (COMPOSE.parent / volume["source"]).exists()
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", ()))
    assert set(services["postgres"]["networks"]) == {"store"}
    assert found["networks"]["store"]["internal"] is True


# --- Kubernetes -------------------------------------------------------------------------------------------------------

VARIANTS = sorted(path.name for path in (EXAMPLES / "kubernetes").iterdir())
VERSIONS = ("1.30", "1.33", "1.37")


def manifests(variant: str) -> list[dict[str, Any]]:
    """All objects of a variant, by Kubernetes' own reading of YAML."""
    files = sorted((EXAMPLES / "kubernetes" / variant).glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def of_kind(variant: str, *kinds: str) -> list[dict[str, Any]]:
    return [document for document in manifests(variant) if document["kind"] in kinds]


def workload(variant: str) -> dict[str, Any]:
    (found,) = of_kind(variant, "Deployment", "StatefulSet")
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_manifest_is_one(variant, version):
    """By the schema of the Kubernetes version, which refuses a key that it does not know."""
    found = manifests(variant)
    assert {"ConfigMap", "NetworkPolicy"} < {document["kind"] for document in found}
    for document in found:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_in_a_manifest_is_found():
    """A key that does not exist, and a value of the wrong type."""
    for change in ({"replica": 2}, {"replicas": "two"}):
        broken = workload("replicas")
        broken["spec"] |= change
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_are_restricted(variant):
    """As the strictest of the Pod Security Standards asks, with a root file system that is read-only besides."""
    spec = workload(variant)["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    allowed = {"configMap", "secret", "emptyDir"}
    assert all(len(allowed & set(volume)) == 1 for volume in spec["volumes"])
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        assert re.search(r":\d[\w.]*$", container["image"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_within_manifests_lead_somewhere(variant):
    """Labels that are selected are those of the pods; volumes, ports, accounts and ConfigMaps that are named are there."""
    found = workload(variant)
    template = found["spec"]["template"]
    labels, spec = template["metadata"]["labels"].items(), template["spec"]
    for document in manifests(variant):
        wanted = document.get("spec", {})
        selector = wanted.get("selector") or wanted.get("podSelector")
        if selector:
            assert selector.get("matchLabels", selector).items() <= labels, document["kind"]
    (container,) = spec["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    claims = {claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", ())}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes) | claims
    ports = {port["name"] for port in container["ports"]}
    probes = [container[name]["httpGet"]["port"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    served = [port["targetPort"] for service in of_kind(variant, "Service") for port in service["spec"]["ports"]]
    assert {*probes, *served} == ports
    maps = {document["metadata"]["name"] for document in of_kind(variant, "ConfigMap")}
    assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} == maps
    accounts = {document["metadata"]["name"] for document in of_kind(variant, "ServiceAccount")} | {"default"}
    assert spec.get("serviceAccountName", "default") in accounts


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_the_pods_read_passes_check(variant, tmp_path):
    """Laid out as it is mounted, `slicewatch check` finds nothing; ports and grace time are those of the manifest."""
    spec = workload(variant)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    place = Place(tmp_path / "settings")
    for mounted, name, text in mounted_files(variant):
        place.write(f"../{mounted}/{name}", text)
    settings = load_settings(place.config, {})
    for file in files_of(settings):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text(example_secret(Path(file).name))
    ran = place.run("check")
    assert (ran.exit_code, ran.stdout) == (0, "1 rule can run; 0 errors, 0 warnings\n"), ran.stderr
    assert container["args"] == ["run", "--config", "/etc/slicewatch/settings/slicewatch.toml"]
    before_the_end = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    lasts = timedelta(seconds=spec["terminationGracePeriodSeconds"] - before_the_end)
    assert lasts >= settings.daemon.grace + SLACK
    (port,) = container["ports"]
    assert (settings.daemon.health or settings.listen) == f"0.0.0.0:{port['containerPort']}"


def mounted_files(variant: str) -> Iterator[tuple[str, str, str]]:
    """Folder below /etc/slicewatch, name and text of each file that a ConfigMap becomes."""
    spec = workload(variant)["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    texts = {document["metadata"]["name"]: document["data"] for document in of_kind(variant, "ConfigMap")}
    for volume in spec["volumes"]:
        for name, text in texts.get(volume.get("configMap", {}).get("name"), {}).items():
            yield mounts[volume["name"]].removeprefix("/etc/slicewatch/"), name, text


def example_secret(name: str) -> str:
    """One of the form that its place asks for."""
    urls = {"store_url": "postgresql+psycopg://slicewatch@databases/slicewatch", "warehouse_url": "sqlite://"}
    return urls.get(name, "0123456789abcdef0123456789abcdef")


# --- docs/operations.md -----------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_page_documents_every_key_of_the_daemon():
    """Its settings are read as they stand, and no key is left out."""
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = parse_settings(f'rules = ["rules/*.yaml"]\n{block}', "slicewatch.toml", Path(), {})
    assert settings.log.format == "json"
    for shape in (DaemonShape, LogShape):
        assert [key for key in shape.model_fields if not re.search(rf"^{key} = ", block, re.MULTILINE)] == []


def test_the_page_documents_every_field_of_a_line_of_the_log():
    """In its table; the line that is shown has those that it should."""
    section = PAGE.partition("## Logs")[2].partition("## As a service")[0]
    table = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {name for cell in table for name in re.findall(r"`(\w+)`", cell)}
    (shown,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    assert named == {"time", "level", "logger", "message", "exception", *KEYS}
    assert set(shown) <= named


def test_the_pages_commands_are_commands():
    """Each of slicewatch's has its options, and every file that is named is there."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [line.split() for block in blocks for line in block.splitlines()]
    used = [words for words in lines if words[:1] == ["slicewatch"]]
    assert len(used) >= 2
    for words in used:
        text = CliRunner().invoke(slicewatch, [words[1], "--help"]).output
        assert [word for word in words if word.startswith("--") and word not in text] == []
    named = {word for words in lines for word in words if re.match(r"(examples|requirements)/", word)}
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_page_knows_the_exit_code():
    """Of a process that ended before its work."""
    assert f"\n| {CUT_OFF} | it ended before its work" in PAGE


def test_the_commands_that_lay_secrets_out_make_what_is_read(tmp_path):
    """As a shell runs them: Compose's secrets are the files that its settings and its database name."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    section = PAGE.partition("## With Compose")[2].partition("## In Kubernetes")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    script = block.replace("docker compose up --build --detach\n", "")
    env = {"PATH": os.environ["PATH"], "WAREHOUSE_URL": "sqlite://", "SLACK_TOKEN": "xoxb-1", "OIDC_SECRET": "s"}
    subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, env=env, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{name}" for name in made} == {item["file"] for item in compose()["secrets"].values()}
    assert made["store_url"].split(":")[2].split("@")[0] == made["postgres_password"].strip()
    assert len(made["session_key"].strip()) >= 32
