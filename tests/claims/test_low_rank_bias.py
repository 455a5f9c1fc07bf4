"""Theory and experiment against each other: the checks of chapter 17 that the chapter does not print."""

import numpy as np
import pytest

import deepdyn_np as dd
from deepdyn_np.measures import effective_rank, layer_norms, spectral_tail
from deepdyn_np.theory.low_rank_bias import low_rank_bound, shrink_factor


@pytest.mark.parametrize("loss, activation", [
    (dd.losses.square, "tanh"), (dd.losses.cross_entropy, "relu"), (dd.losses.cross_entropy, "leaky_relu")])
@pytest.mark.parametrize("batch_size, replacement", [(1, False), (3, True)])
def test_the_bound_and_the_rank_of_gradients_for_other_losses_and_networks(loss, activation, batch_size, replacement):
    rng = np.random.default_rng(3)
    X, labels = rng.normal(size=(20, 12)), rng.integers(5, size=20)
    targets = labels if loss is dd.losses.cross_entropy else np.eye(5)[labels]
    net, eta, lam, seen = dd.MLP((12, 30, 20, 5), activation), 0.2, 0.5, []
    objective = dd.Objective(net, loss, X, targets, lam=lam)
    rule = dd.sgd(objective, eta, batch_size, rng, replacement, observe=lambda t, b, g: seen.append(g))
    run = dd.run(rule, net.init(rng), 40, at=range(41))
    q, norms = shrink_factor(eta, lam), layer_norms(net, run.theta)
    data_term = np.array(seen) - lam * run.theta[:-1]
    for k, (W, G) in enumerate(zip(net.layers(run.theta), net.layers(data_term))):
        sizes = np.linalg.svd(G, compute_uv=False)
        assert (sizes[:, batch_size:] <= 1e-14).all() and (sizes[:, batch_size - 1] > 1e-9).any()
        for m in (1, 3, 6):
            bound = low_rank_bound(q, m, norms[-1 - m, k] / norms[-1, k])
            assert spectral_tail(W[-1], m * batch_size) <= bound * (1 + 1e-12)


def test_the_null_space_decays_with_every_batch_size_by_the_number_of_steps():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(6, 9)), rng.normal(size=(6, 2))
    net = dd.MLP((9, 7, 2), "tanh")
    theta, P = net.init(rng), np.eye(9) - np.linalg.pinv(X) @ X
    objective = dd.Objective(net, dd.losses.square, X, Y, lam=0.1)
    for B in (1, 2, 6):
        run = dd.run(dd.sgd(objective, 0.05, B, rng), theta, 500, at=[500])
        expected = shrink_factor(0.05, 0.1) ** 500 * net.layers(theta)[0] @ P
        np.testing.assert_allclose(net.layers(run.final)[0] @ P, expected, atol=1e-14)


def test_decoupled_from_the_loss_the_start_alone_shrinks():
    """A common fixed point of all batches needs W = 0: with one-hot inputs SGD hovers instead."""
    net = dd.MLP((4, 4))
    objective = dd.Objective(net, dd.losses.square, np.eye(4), np.eye(4), lam=0.1)
    run = dd.run(dd.sgd(objective, 0.5, 1, np.random.default_rng(0)), np.zeros(16), 4000, at=range(3990, 4001))
    moves = np.linalg.norm(np.diff(run.theta, axis=0), axis=-1)
    assert moves.min() > 0.05


def test_a_decay_above_the_signal_leaves_no_rank_to_measure():
    X = np.sqrt(6) * np.eye(6)
    net = dd.MLP((6, 6, 6, 6), "linear")
    objective = dd.Objective(net, dd.losses.square, X, 0.2 * X, lam=0.5)
    run = dd.run(dd.gd(objective, 0.5), net.join([0.5 * np.eye(6)] * 3), 3000, at=[10, 3000])
    assert effective_rank(net.layers(run.theta[0])[0], 0.05) == 6
    with pytest.raises(ValueError, match="W: .*not zero"):
        effective_rank(net.layers(run.final)[0], 0.05)


def centred_digits():
    """The first 30 digits of each class without their mean image, and one-hot targets."""
    images = dd.data.digits()
    rows = np.concatenate([np.flatnonzero(images.y == c)[:30] for c in range(10)])
    return images.X[rows] - images.X[rows].mean(axis=0), np.eye(10)[images.y[rows]]


def test_the_hidden_layer_of_the_digits_after_40_epochs_at_decay_0005():
    """Smaller batches take more steps and lose more of the start."""
    net, found = dd.MLP((64, 64, 64, 10)), []
    objective = dd.Objective(net, dd.losses.square, *centred_digits(), lam=0.005)
    start = net.init(np.random.default_rng(0), scale=np.sqrt(2))
    for B in (1, 3, 10, 30, 100):
        rule = dd.sgd(objective, 0.05, B, np.random.default_rng(1))
        final = dd.run(rule, start, 12_000 // B, at=[12_000 // B]).final
        found.append(effective_rank(net.layers(final)[1], 0.05))
    np.testing.assert_allclose(found, [35, 59, 60, 60, 60], atol=3)


def three_layers_after_6000_steps(decays, batch_size, eta=0.05):
    """Effective ranks at 1 % of the three layers, one row for each decay."""
    net = dd.MLP((64, 64, 64, 10))
    start = net.init(np.random.default_rng(0), scale=np.sqrt(2))
    objective = dd.Objective(net, dd.losses.square, *centred_digits(), lam=np.array(decays))
    rule = dd.sgd(objective, eta, batch_size, np.random.default_rng(1))
    out = dd.run(rule, np.tile(start, (len(decays), 1)), 6000, at=[6000])
    return np.stack([effective_rank(W, 0.01) for W in net.layers(out.final)], axis=-1)


@pytest.mark.parametrize("batch_size", [1, 4, 64, 300])
def test_at_fixed_steps_the_batch_size_does_not_change_the_rank(batch_size):
    """Full batch included: at fixed steps low rank is the work of the decay."""
    ranks = three_layers_after_6000_steps((0.02, 0.0), batch_size)
    np.testing.assert_allclose(ranks[0], (27, 15, 10), atol=2)
    assert (ranks[1] >= (61, 61, 10)).all()
