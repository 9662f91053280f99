"""Rules are read again when an admin asks, or a token that may do just that."""

from __future__ import annotations

import pytest

from monitor.serving.reloading import DaemonReloader
from tests.dashboards.web.guarded import PROXY, ROOT, guarded

pytestmark = pytest.mark.xdist_group("web")


def test_what_changed_is_shown_from_then_on(world, tmp_path):
    """A rule more, then a file that is broken: the last good version stands, and the answer says where it is wrong."""
    with guarded(world, tmp_path, PROXY) as site:
        rule = tmp_path / "rules" / "playback.yaml"
        text = rule.read_text()
        (tmp_path / "rules" / "second.yaml").write_text(text.replace("playback_volume", "second_volume"))
        token = site.token("admin", "reload")
        with site.client(Authorization=f"Bearer {token.secret}") as script:
            answer = script.post("/-/reload").json()
            assert (answer["rules"], answer["problems"]) == (2, [])
            rule.write_text("rules: [")
            answer = script.post("/-/reload").json()
            assert answer["rules"] == 2
            assert "playback.yaml:1:" in answer["problems"][0]
        with site.as_("viewer") as browser:
            assert "second_volume" in browser.get("/").text
        assert [(act, who) for act, who, _ in site.acts("rules")] == [("reload", token.token.id)]


def test_a_daemon_is_asked_and_says_at_once_what_is_wrong_with_the_files(world, tmp_path):
    """Its own rules are left to the thread that watches them."""
    with guarded(world, tmp_path, PROXY) as site:
        (tmp_path / "rules" / "second.yaml").write_text("rules: [")
        asked = []
        before = site.app.rules
        answer = DaemonReloader(site.app, lambda: asked.append(True)).reload(ROOT, site.now)
        assert (asked, site.app.rules is before) == ([True], True)
        assert "second.yaml:1:" in answer.problems[0]
        assert [(act, who) for act, who, _ in site.acts("rules")] == [("reload", "root")]
