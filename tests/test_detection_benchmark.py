"""What the detection benchmark lays in and how it scores: a wrong score would praise anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.limit import knowable
from benchmarks.peers import PEERS
from benchmarks.scoring import Told, false_episodes, rightly_named, score, slices_found, upper_bound
from benchmarks.simulator import Plan, World, inject, simulate
from monitor.lattice import ANY, Lattice


@pytest.fixture(scope="module")
def quiet() -> World:
    return simulate(0, days=30, test_days=2, countries=2)


@pytest.fixture(scope="module")
def lossy(quiet) -> World:
    return inject(quiet, Plan(6), 0)


def test_the_same_seed_makes_the_same_world(quiet):
    """Counts come from the seed only."""
    np.testing.assert_array_equal(simulate(0, days=30, test_days=2, countries=2).counts, quiet.counts)


def test_a_masked_loss_keeps_the_total(quiet, lossy):
    """Unmasked losses lower the total by what was lost; masked ones leave it as it was."""
    gone = sum(loss.lost for loss in lossy.losses if not loss.masked)
    assert any(loss.masked and loss.lost for loss in lossy.losses)
    assert quiet.counts.sum() - lossy.counts.sum() == gone


def test_nothing_is_lost_before_the_judged_stretch(quiet, lossy):
    """History is that of the quiet world."""
    np.testing.assert_array_equal(lossy.counts[:, : quiet.begin], quiet.counts[:, : quiet.begin])


def test_the_right_cause_at_the_right_time_is_found_and_others_are_false(lossy):
    """A loss told in its second bucket has a delay of two; the same told a week early is false."""
    loss = lossy.losses[0]
    found = score(lossy, [Told(loss.members, loss.start + 1)], after=24)
    assert found.found[0].delay == 2
    assert found.false == ()
    early = score(lossy, [Told(loss.members, lossy.begin - 100)], after=24)
    assert early.found[0].delay is None
    assert len(early.false) == 1


def test_only_the_very_leaves_are_the_right_cause(lossy):
    """The loss's own leaves are, everything is not, and what has nothing to do with it does not count against it."""
    loss = lossy.losses[0]
    everything, elsewhere = np.ones_like(loss.members), ~loss.members
    own, wide = Told(loss.members, loss.start), Told(everything, loss.start)
    assert rightly_named(lossy, loss, [Told(elsewhere, loss.start), own, wide])
    assert not rightly_named(lossy, loss, [wide, own])
    assert not rightly_named(lossy, loss, [])


def test_who_knows_the_truth_finds_what_is_gone(lossy):
    """Half of hundreds of events gone is found at once, and none where as much is asked as no count can say."""
    clear = tuple(loss for loss in lossy.losses if loss.share >= 0.5 and loss.lost > 500)
    found = knowable(replace(lossy, losses=clear), 12.0)
    assert len(clear) > 1
    assert [item.delay for item in found] == [1] * len(clear)
    assert all(item.delay is None for item in knowable(lossy, 1e6))


def test_no_loss_is_given_back_by_what_masks_another(quiet, lossy):
    """Of each large loss more than half of its share is missing, whatever masks the others."""
    large = [loss for loss in lossy.losses if loss.lost > 100]
    assert len(large) > 2
    for loss in large:
        stretch = np.ix_(loss.members, range(loss.start, loss.stop))
        before, after = quiet.counts[stretch].sum(), lossy.counts[stretch].sum()
        assert before - after > 0.5 * loss.share * before


def test_an_alarm_elsewhere_is_a_false_episode(lossy):
    """One slice alarmed twice with a pause between: two episodes; without losses in its cells both are false."""
    world = World(lossy.leaves, lossy.starts, lossy.counts, lossy.begin)
    lattice = Lattice.of(world.leaves, 3)
    alarmed = np.zeros((len(lattice), 48), dtype=bool)
    alarmed[5, [3, 4, 20]] = True
    assert false_episodes(world, lattice, alarmed, after=24) == 2


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_peer_answers_for_every_slice_and_bucket(name, lossy):
    """Shapes are the contract; a silent large slice is lower than what came before."""
    lattice = Lattice.of(lossy.leaves, 3)
    alarmed = PEERS[name](lattice.rollup(lossy.counts.astype(float)), lossy.begin, 168)
    assert alarmed.shape == (len(lattice), lossy.counts.shape[1] - lossy.begin)
    assert len(slices_found(lossy, lattice, alarmed)) == len(lossy.losses)
    assert all(any(code != ANY for code in loss.codes) for loss in lossy.losses)


def test_the_upper_bound_of_nothing_seen():
    """Nothing in a stretch is compatible with three events (the rule of three)."""
    assert upper_bound(0) == pytest.approx(3.0, abs=0.01)
