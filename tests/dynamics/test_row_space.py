"""Training in the coordinates of the data is training."""

import numpy as np
import pytest
from hypothesis import given
from oracles import ACTIVATIONS, close, few, random_problem, seeds

import deepdyn_np as dd

RULES = {"gd": lambda objective: dd.gd(objective, 0.1), "heavy ball": lambda objective: dd.heavy_ball(objective, 0.1, 0.8),
         "sgd": lambda objective: dd.sgd(objective, 0.1, 2, np.random.default_rng(3)),
         "normalized": lambda objective: dd.normalized_gd(objective, 0.05)}


def wide(seed, activation="relu", bias=False, size=()):
    """Four samples, one of them twice, in nine dimensions."""
    rng = np.random.default_rng(seed)
    net = dd.MLP([9, 5, 1], activation, bias)
    X = rng.normal(size=(5, 9))
    X[4] = X[0]
    theta = net.init(rng, size=size) + 0.1 * rng.normal(size=(*size, net.size))
    return dd.Objective(net, dd.losses.logistic, X, np.array([1.0, -1, 1, -1, 1])), theta


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias, size", [(False, ()), (True, (3,))])
@given(seed=seeds)
@few(3)
def test_training_there_and_back_is_training_here(rule, activation, bias, size, seed):
    problem, theta0 = wide(seed, activation, bias, size)
    space = dd.RowSpace(problem)
    assert space.objective.X.shape == (5, 4)
    here = dd.run(RULES[rule](problem), theta0, 12).theta
    there = dd.run(RULES[rule](space.objective), space.project(theta0), 12).theta
    close(space.embed(there, theta0), here)
    close(space.project(here), there)


def test_adam_does_single_out_coordinates():
    problem, theta0 = wide(0)
    space = dd.RowSpace(problem)
    here = dd.run(dd.adam(problem, 0.1), theta0, 12).final
    there = dd.run(dd.adam(space.objective, 0.1), space.project(theta0), 12).final
    assert np.abs(space.embed(there, theta0) - here).max() > 1e-2


def test_gradient_flow_is_the_same():
    problem, theta0 = wide(1, "tanh")
    space = dd.RowSpace(problem)
    here = dd.gradient_flow(problem, theta0, 2.0, 1e-10, 1e-12).final
    there = dd.gradient_flow(space.objective, space.project(theta0), 2.0, 1e-10, 1e-12).final
    np.testing.assert_allclose(space.embed(there, theta0), here, atol=1e-9)


@pytest.mark.parametrize("call, message", [
    (lambda: dd.RowSpace("problem"), "problem: expected a dd.Objective"),
    (lambda: dd.RowSpace(random_problem(np.random.default_rng(0), lam=0.1)[0]), "problem: .*without decay"),
    (lambda: dd.RowSpace(random_problem(np.random.default_rng(0), size=(2,), own_data=True)[0]), "problem: .*one data set"),
    (lambda: dd.RowSpace(wide(0)[0]).project(np.zeros(3)), "theta: expected shape"),
])
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
