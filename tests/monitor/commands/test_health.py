"""`slicewatch health`: asks what answers on this machine."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from dashboards.views.probes import Probe
from monitor.commands.health import where
from monitor.serving.plain import PlainProbes
from monitor.settings import parse_settings
from tests.dashboards.web.guarded import free_port
from tests.monitor.commands.place import Place

pytestmark = pytest.mark.xdist_group("commands")


class Said:
    """A process that is well and has lost its store."""

    def alive(self) -> Probe:
        return Probe()

    def ready(self) -> Probe:
        return Probe(("the store does not answer",))


def test_it_says_what_the_process_says(tmp_path):
    """By its exit code, for health checks; in words, or as JSON, for whoever looks."""
    place, port = Place(tmp_path), free_port()
    place.write("slicewatch.toml", f'rules = ["*.yaml"]\n[daemon]\nhealth = "127.0.0.1:{port}"\n')
    nobody = place.run("health")
    assert nobody.exit_code == 2
    assert f"http://127.0.0.1:{port}/healthz does not answer" in nobody.stderr
    with closing(PlainProbes(f"127.0.0.1:{port}", Said())) as server:
        server.start()
        well, ready, told = (
            place.run("health"),
            place.run("health", "--ready"),
            place.run("health", "--ready", "--json"),
        )
    assert (well.exit_code, well.stdout) == (0, "ok\n")
    assert (ready.exit_code, ready.stdout) == (1, "the store does not answer\n")
    assert (told.exit_code, json.loads(told.stdout)) == (1, {"ok": False, "reasons": ["the store does not answer"]})


def test_a_configuration_that_cannot_be_read_is_no_good_health(tmp_path):
    """Exit code 2, and why."""
    ran = Place(tmp_path).run("health")
    assert ran.exit_code == 2
    assert "slicewatch.toml" in ran.stderr


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ("", ("127.0.0.1", 8080)),
        ('[web]\nlisten = "127.0.0.1:9000"', ("127.0.0.1", 9000)),
        ('[daemon]\nhealth = "0.0.0.0:8081"\n[web]\nlisten = "127.0.0.1:9000"', ("127.0.0.1", 8081)),
        ('[daemon]\nhealth = "[::]:8081"', ("::1", 8081)),
        ('[daemon]\nhealth = "localhost:8081"', ("localhost", 8081)),
    ],
)
def test_it_asks_where_the_settings_say(settings, asked):
    """Whoever listens everywhere listens here."""
    assert where(parse_settings(f'rules = ["*.yaml"]\n{settings}\n', "slicewatch.toml", Path(), {})) == asked
