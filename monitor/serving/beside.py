"""What a daemon serves beside its work, at `[web] listen`: the pages where they are asked for, and doors where others post.

Watching does not rest on it: an address that cannot be listened at is an error in the log, and the daemon goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from monitor.app import App
from monitor.probing import Probing
from monitor.serving.access import OpenToAllError, open_access
from monitor.serving.plain import PlainProbes
from monitor.signed_http import Door, SignedServer
from monitor.web_settings import split_address

log = logging.getLogger("slicewatch")


@contextmanager
def serving(
    app: App, doors: Sequence[Door[Any]], now: Callable[[], datetime], reload: Callable[[], None], probes: Probing
) -> Iterator[None]:
    """Serve meanwhile; `reload` has the daemon read its rules again. Raises `SettingsError` for a secret that is missing, or a library that is.

    What serves is one of the daemon's vitals: where its thread ends, the daemon is not well.
    """
    with ExitStack() as stack:
        if app.settings.daemon.health is not None:
            _plain(app.settings.daemon.health, probes, stack)
        if app.settings.web.asked:
            _pages(app, doors, now, reload, probes, stack)
        elif doors:
            _doors(app.settings.listen, doors, stack)
        yield


def _plain(listen: str, probes: Probing, stack: ExitStack) -> None:
    try:
        server = PlainProbes(listen, probes)
    except OSError as error:
        log.error("whether it is well cannot be asked, [daemon] health = %s: %s", listen, error)
        return
    stack.enter_context(closing(server))
    server.start()
    probes.vitals.thread("probes", server.alive)
    log.info("whether it is well is said at http://%s/healthz and /readyz", listen)


def _pages(
    app: App,
    doors: Sequence[Door[Any]],
    now: Callable[[], datetime],
    reload: Callable[[], None],
    probes: Probing,
    stack: ExitStack,
) -> None:
    # A daemon without pages needs none of what makes them.
    from monitor.serving.hooks import router_of  # noqa: PLC0415
    from monitor.serving.reloading import DaemonReloader  # noqa: PLC0415
    from monitor.serving.server import CannotListenError, WebServer  # noqa: PLC0415
    from monitor.serving.wiring import web_app  # noqa: PLC0415

    listen = app.settings.listen
    try:
        access = open_access(app.settings, app.state, listen, now)
    except OpenToAllError as error:
        log.error("%s", error)
        return
    gate = replace(
        access.gate,
        routers=(*access.gate.routers, router_of(doors)),
        public=access.gate.public | {door.path for door in doors},
    )
    reloader = DaemonReloader(app, reload)
    web = stack.enter_context(web_app(app, access.door, now, access.key, gate, reloader, probes))
    try:
        server = WebServer(web, *split_address(listen))
    except CannotListenError as error:
        log.error("the pages are not served, and nothing that is done elsewhere comes back: %s", error)
        return
    stack.enter_context(closing(server))
    server.start()
    probes.vitals.thread("web", server.alive)
    log.info("the pages are at %s%s", server.address, _also(doors))


def _also(doors: Sequence[Door[Any]]) -> str:
    return f", and signed requests are taken there: {', '.join(door.path for door in doors)}" if doors else ""


def _doors(listen: str, doors: Sequence[Door[Any]], stack: ExitStack) -> None:
    paths = ", ".join(door.path for door in doors)
    try:
        server = SignedServer(listen, tuple(doors))
    except OSError as error:
        log.error("what people do elsewhere does not come back (%s), [web] listen = %s: %s", paths, listen, error)
        return
    stack.enter_context(closing(server))
    server.start()
    log.info("signed requests are taken at %s: %s", listen, paths)
