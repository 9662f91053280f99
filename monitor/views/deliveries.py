"""Deliveries as the outbox holds them, and sending again what was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.model import Actor
from alerts.wording import counted
from dashboards.views.deliveries import DeliveriesPage, DeliveryRow, ReceiverRow, Retried, Standing
from monitor import store
from monitor.app import App

A_PAGE = 100
BACK = timedelta(days=7)


@dataclass(frozen=True)
class DeliveriesOfStore:
    """`dashboards.views.deliveries.Deliveries` of an app."""

    app: App

    def deliveries(self, now: datetime, state: Standing | None, receiver: str | None, page: int) -> DeliveriesPage:
        """Those in a state and for a receiver, or all."""
        states = () if state is None else (state.value,)
        with self.app.state.read() as tx:
            found = store.parcels(tx, states=states, receiver=receiver, limit=A_PAGE + 1, offset=page * A_PAGE)
            traffic = {item.receiver: item for item in store.traffic(tx, now - BACK)}
        kinds = {item.name: item.kind for item in self.app.settings.receivers}
        names = sorted({*kinds, *traffic})
        return DeliveriesPage(
            receivers=tuple(_receiver(name, kinds.get(name, ""), traffic.get(name)) for name in names),
            rows=tuple(_row(item) for item in found[:A_PAGE]),
            page=page,
            more=len(found) > A_PAGE,
        )

    def retry(self, ids: tuple[str, ...], by: Actor, now: datetime) -> Retried:
        """Send again what was given up; () is all of it. Logged with who asked for it."""
        with self.app.state.write() as tx:
            dead = [letter.id for letter in store.letters(tx, dead_only=True)]
            chosen = [name for name in dead if not ids or name in ids]
            again = [name for name in chosen if store.requeue(tx, name, now)]
            subject = ids[0] if len(ids) == 1 else "outbox"
            store.add_action(
                tx, store.Acted("retry", subject, by, now, f"{counted(len(again), 'message')} queued again")
            )
        return Retried(tuple(again), len(chosen) - len(again))


def _receiver(name: str, kind: str, found: store.Traffic | None) -> ReceiverRow:
    if found is None:
        return ReceiverRow(name, kind, 0, 0, 0, None, None, None)
    took = found.seconds
    return ReceiverRow(
        name=name,
        kind=kind,
        done=found.done,
        queued=found.queued,
        dead=found.dead,
        waiting_since=found.oldest,
        median_seconds=took[len(took) // 2] if took else None,
        slow_seconds=took[min(len(took) - 1, len(took) * 19 // 20)] if took else None,
    )


def _row(item: store.Parcel) -> DeliveryRow:
    return DeliveryRow(
        id=item.id,
        incident=item.incident,
        receiver=item.receiver,
        part=item.part.value,
        state=Standing(item.state),
        push=item.push,
        attempts=item.attempts,
        created_at=item.created_at,
        finished_at=item.finished_at,
        due=item.due if item.state == Standing.QUEUED.value else None,
        error=item.error,
    )
