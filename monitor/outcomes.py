"""What the log says of evaluations and deliveries: a line for each that did something, or did not what it was meant to."""

from __future__ import annotations

import logging

from alerts.about import about
from alerts.deliver import Outcome as Delivered
from alerts.deliver import Result
from alerts.wording import counted
from monitor.tick import Outcome

log = logging.getLogger("slicewatch")


def log_delivery(outcome: Delivered) -> None:
    """One line for what was not delivered, or not where it was meant to be."""
    delivery, what = outcome.delivery, outcome.result.value
    item = f"{delivery.part.value} {delivery.message.seq} of {delivery.message.key}"
    with about(receiver=delivery.receiver, incident=delivery.message.key, rule=delivery.message.rule):
        if outcome.result is Result.RETRIED:
            log.info("%s: %s %s: %s", delivery.receiver, item, what, outcome.error)
        elif outcome.result is Result.REROUTED:
            log.warning("%s: %s goes to %s: %s", delivery.receiver, item, outcome.receiver, outcome.error)
        elif outcome.result is Result.DEAD:
            text = "%s: %s was given up: %s (see `slicewatch deliveries --dead`)"
            log.error(text, delivery.receiver, item, outcome.error)


def log_outcome(outcome: Outcome) -> None:
    """One line per evaluation, one per news."""
    if outcome.blind:
        log.warning("%s at %s: could not ask the source: %s", outcome.rule, outcome.tick, outcome.blind)
    elif outcome.late:
        log.warning("%s at %s: the source is behind: %s", outcome.rule, outcome.tick, outcome.late)
    elif outcome.repeated:
        log.info("%s at %s: evaluated before", outcome.rule, outcome.tick)
    else:
        judged, messages = counted(len(outcome.judged), "bucket"), counted(len(outcome.messages), "message")
        log.info("%s at %s: %s judged, %s", outcome.rule, outcome.tick, judged, messages)
    for notice in outcome.notices:
        log.warning("%s: %s", outcome.rule, notice)
    for transition in outcome.transitions:
        incident = transition.incident
        with about(incident=incident.id):
            log.info("%s %s %s: %s", incident.id, transition.change.value, incident.cause.label(), transition.because)
