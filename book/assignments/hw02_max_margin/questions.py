"""Answers, inputs and plausible mistakes of the assignment on the maximum margin.

The right answers come from the package: its exact solver, and its integrator with step control. The
mistakes of the flow are a Runge-Kutta method of fixed step with one thing wrong.
"""

from functools import lru_cache, partial

import numpy as np

import deepdyn_np as dd
from deepdyn_np.classroom.questions import (Assignment, Function, Mistake, Number, Written, personal_rng,
                                            with_released_id)
from deepdyn_np.theory.max_margin import asymptotic_constants, residual_limit
from deepdyn_np.theory.svm import hard_margin_svm

LONG = ((1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2), (1, 4), (4, 1))

# --- personal data ------------------------------------------------------------------------------


def data(student):
    """Inputs X and labels y of 5 to 7 points in the plane.

    With a vector u and its perpendicular, two rows z = y x are s (u + a u_perp) and s (u - b u_perp),
    a != b, and the others lie at least twice as far along u: so these two are the support vectors for
    every id, of opposite labels, w_hat = u / (s |u|^2), and q = (b, a) / (a + b).
    """
    rng = personal_rng(student)
    u = rng.choice(LONG) * rng.choice([-1, 1], size=2)
    a, b = rng.choice(np.arange(1, 7), size=2, replace=False)
    n = rng.integers(5, 8)
    along = np.append([1, 1], rng.integers(2, 5, size=n - 2))
    across = np.append([a, -b], rng.integers(-3, 4, size=n - 2))
    Z = rng.integers(5, 21) * (np.outer(along, u) + np.outer(across, [-u[1], u[0]])) / 10
    y, order = (-1) ** np.arange(n), rng.permutation(n)
    return {"X": (y[:, None] * Z)[order] + 0.0, "y": y[order]}  # no zero with a minus sign


def rows(data):
    return data["y"][:, None] * data["X"]


def solution(data):
    return _solution(rows(data).tobytes())


@lru_cache  # every question and every mistake starts from it
def _solution(signed):
    return hard_margin_svm(np.frombuffer(signed).reshape(-1, 2))


# --- 1-3 the hard margin ------------------------------------------------------------------------------


def w_hat(data):
    return solution(data).w


def alpha(data):
    return solution(data).alpha


def gamma(data):
    return solution(data).gamma


def with_bias(data):
    """The separator with an intercept: only differences of the two classes count."""
    X, y = data["X"], data["y"]
    return hard_margin_svm((X[y > 0][:, None] - X[y < 0]).reshape(-1, 2) / 2).w


W_HAT = Number(
    "w_hat", 3, "The hard-margin solution", w_hat, rtol=1e-4, mistakes=(
        Mistake("This is w / |w|, a unit vector. The hard-margin solution has smallest margin 1: its length "
                "is 1 / gamma.", lambda data: gamma(data) * w_hat(data)),
        Mistake("This is the separator with a bias. Here the hyperplane goes through the origin.", with_bias),
        Mistake("This is the least-squares solution of Z w = 1. Only the support vectors have margin 1.",
                lambda data: np.linalg.lstsq(rows(data), np.ones(len(data["y"])))[0]),
        with_released_id(w_hat, data),
    ))

ALPHA = Number(
    "alpha", 3, "The duals", alpha, rtol=1e-4, mistakes=(
        Mistake("These are the normalised duals q, which add up to 1. The duals add up to |w_hat|^2.",
                lambda data: alpha(data) / alpha(data).sum()),
        Mistake("The duals are twice too large: they belong to |w|^2, without the factor 1/2.",
                lambda data: 2 * alpha(data)),
        Mistake("The duals are not negative. The labels are already in the rows z_i = y_i x_i.",
                lambda data: data["y"] * alpha(data)),
        with_released_id(alpha, data),
    ))

GAMMA = Number(
    "gamma", 1, "The margin", gamma, rtol=1e-4, mistakes=(
        Mistake("This is |w_hat|. The margin is its inverse.", lambda data: 1 / gamma(data)),
        Mistake("This is 2 / |w_hat|, the width of the street between the classes. The margin is half of "
                "it.", lambda data: 2 * gamma(data)),
        Mistake("This is 1 / |w_hat|^2. The margin is 1 / |w_hat|.", lambda data: gamma(data) ** 2),
        with_released_id(gamma, data),
    ))

# --- 4 the residual limit -----------------------------------------------------------------------------


def w_tilde(data):
    return residual_limit(rows(data), solution=solution(data))[0]


def w_tilde_with(data, *, n=None, duals=lambda alpha: alpha):
    """The solution of e^(-z_i w) / n = duals_i on the support vectors."""
    Z, svm = rows(data), solution(data)
    return np.linalg.solve(Z[svm.support], -np.log((n or len(Z)) * duals(svm.alpha)[svm.support]))


W_TILDE = Number(
    "w_tilde", 3, "The residual limit", w_tilde, rtol=1e-4, mistakes=(
        Mistake("The factor n was lost: (1/n) exp(-z_i w_tilde) = alpha_i, since the loss is a mean.",
                partial(w_tilde_with, n=1)),
        Mistake("You used the normalised duals q in the place of the duals alpha.",
                partial(w_tilde_with, duals=lambda alpha: alpha / alpha.sum())),
        Mistake("The sign is wrong: z_i w_tilde = -log(n alpha_i).", lambda data: -w_tilde(data)),
        Mistake("The residual does not vanish: w - w_hat log t tends to a constant vector.",
                lambda data: np.zeros(2)),
        with_released_id(w_tilde, data),
    ))

# --- 5 the gap constant -------------------------------------------------------------------------------


def gap_constant(data):
    return asymptotic_constants(rows(data), solution=solution(data)).C


def entropies(data):
    law = asymptotic_constants(rows(data), solution=solution(data))
    return law.gamma, law.H, law.H_inf


def gap_without_min_entropy(data):
    margin, H, _ = entropies(data)
    return margin * H


def gap_without_margin(data):
    _, H, H_inf = entropies(data)
    return H - H_inf


def gap_over_margin(data):
    margin, H, H_inf = entropies(data)
    return (H - H_inf) / margin


def gap_of_duals(data):
    duals = alpha(data)[solution(data).support]
    return gamma(data) * (np.log(duals.max()) - duals @ np.log(duals))


GAP_CONSTANT = Number(
    "gap_constant", 3, "The gap constant", gap_constant, rtol=1e-4, mistakes=(
        Mistake("The min-entropy term is missing: C = gamma (H(q) - H_inf(q)).", gap_without_min_entropy),
        Mistake("This is gamma log n, the bound of item 2 of the theorem: it holds at every time, but it is "
                "not the limit.", lambda data: gamma(data) * np.log(len(data["y"]))),
        Mistake("The factor gamma is missing.", gap_without_margin),
        Mistake("You divided by gamma, that is, multiplied by |w_hat|. C is gamma times the difference of "
                "entropies.", gap_over_margin),
        Mistake("The logarithm has the base 2. Entropies here are in natural units.",
                lambda data: gap_constant(data) / np.log(2)),
        Mistake("The logarithm has the base 10. Entropies here are in natural units.",
                lambda data: gap_constant(data) / np.log(10)),
        Mistake("You used the duals alpha in the place of the probabilities q, which add up to 1.",
                gap_of_duals),
        with_released_id(gap_constant, data),
    ))

# --- 6 the log-loss -----------------------------------------------------------------------------------


def problem(Z):
    return dd.Objective(dd.MLP([Z.shape[1], 1]), dd.losses.exponential, Z, np.ones(len(Z)))


def log_loss(Z, w):
    return float(problem(Z).Lambda(w))


def separable(rng, n, d):
    """Rows with a margin above 0.8: the flow relaxes at rates of order 1, and is not stiff."""
    u = rng.normal(size=d)
    u /= np.linalg.norm(u)
    while True:
        Z = 1.5 * u + 0.6 * rng.normal(size=(n, d))
        if (Z @ u).min() > 0.5:
            return 1.6 * Z, u


def log_loss_inputs(rng, draw):
    """Margins of order 1, of +5000 and of -5000: exp(-m) underflows in the second, overflows in the third."""
    Z, u = separable(rng, n=rng.integers(4, 9), d=rng.integers(2, 5))
    return Z, (1.0, 1.0, 5e3, -5e3)[draw] * (u + 0.1 * rng.normal(size=len(u)))


def total_log_loss(Z, w):
    return log_loss(Z, w) - np.log(len(Z))


def naive_log_loss(Z, w):
    with np.errstate(divide="ignore", over="ignore"):
        return -np.log(np.mean(np.exp(-Z @ w)))


LOG_LOSS = Function(
    "log_loss", 2, "The log-loss without underflow", log_loss, log_loss_inputs, draws=4, rtol=1e-6, mistakes=(
        Mistake("exp(-m) underflows or overflows. Take the smallest margin out of the sum before you "
                "exponentiate.", naive_log_loss),
        Mistake("The factor 1/n is missing: the loss is a mean, so Lambda contains + log n.", total_log_loss),
        Mistake("The sign is wrong: Lambda = -log L grows as the loss falls.", lambda Z, w: -log_loss(Z, w)),
        Mistake("This is the smallest margin alone. The other terms of the sum, and the 1/n, change Lambda "
                "by up to log n.", lambda Z, w: float((Z @ w).min())),
    ))

# --- 7 the clock --------------------------------------------------------------------------------------


def flow(Z, w0, Lambda_end):
    end = dd.log_loss_flow(problem(Z), w0, Lambda_end, rtol=1e-7, atol=1e-5, at=[Lambda_end])
    return end.final, float(end.log_t[-1])


def flow_inputs(rng, draw):
    """From 0, not far; from random starts; and from far out, where the loss underflows."""
    n, d = rng.integers(5, 9), rng.integers(2, 4)
    Z, u = separable(rng, n, d)
    w0 = (0, 0.5, 0.5, 1)[draw] * rng.normal(size=d) + (1e3 * u if draw == 3 else 0)
    return Z, w0, log_loss(Z, w0) + (rng.uniform(6, 12) if draw else rng.uniform(1, 2))


def flow_with(Z, w0, Lambda_end, *, speed=lambda g: g / (g @ g), growth=lambda K, g: 1 / (g @ g) - K,
              begin=log_loss, weights=lambda m: np.exp(m.min() - m),
              log_t=lambda Lambda, K: Lambda + np.log(K)):
    def velocity(state):
        p = weights(Z @ state[:-1])
        g = p @ Z / p.sum()
        return np.append(speed(g), growth(state[-1], g))

    steps = max(int((Lambda_end - begin(Z, w0)) / 0.05), 1)
    state, h = np.append(w0, 0.0), (Lambda_end - begin(Z, w0)) / steps
    for _ in range(steps):
        k1 = velocity(state)
        k2 = velocity(state + h / 2 * k1)
        k3 = velocity(state + h / 2 * k2)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + velocity(state + h * k3))
    return state[:-1], float(log_t(Lambda_end, state[-1]))


def naive_weights(m):
    return np.exp(-m)


def underflowing_flow(Z, w0, Lambda_end):
    with np.errstate(invalid="ignore"):
        return flow_with(Z, w0, Lambda_end, weights=naive_weights)


FLOW = Function(
    "flow", 5, "Gradient flow in the clock of the log-loss", flow, flow_inputs, draws=4, rtol=1e-5, atol=1e-3,
    mistakes=(
        Mistake("log t = Lambda alone: the term log K is missing. It tends to -2 log gamma, not to 0.",
                partial(flow_with, log_t=lambda Lambda, K: Lambda)),
        Mistake("The equation of K is dK/dLambda = 1/|g|^2 - K: the term -K, from the falling loss, is "
                "missing.", partial(flow_with, growth=lambda K, g: 1 / (g @ g))),
        Mistake("The equation of K is dK/dLambda = 1/|g|^2 - K, not 1 - K.",
                partial(flow_with, growth=lambda K, g: 1 - K)),
        Mistake("The speed is wrong: dw/dLambda = g/|g|^2 has length 1/|g|. This is g/|g|.",
                partial(flow_with, speed=lambda g: g / np.sqrt(g @ g))),
        Mistake("The speed is wrong: dw/dLambda = g/|g|^2. This is g.",
                partial(flow_with, speed=lambda g: g)),
        Mistake("The clock starts at Lambda_0 = -log L(w0), not at 0.",
                partial(flow_with, begin=lambda Z, w: 0.0)),
        Mistake("exp(-m) underflows. Take the smallest margin out before you exponentiate: the weights p do "
                "not change.", underflowing_flow),
    ))

ASSIGNMENT = Assignment(
    name="hw02_max_margin", title="Maximum margin", chapter="03_max_margin", data=data,
    questions=(W_HAT, ALPHA, GAMMA, W_TILDE, GAP_CONSTANT, LOG_LOSS, FLOW,
               Written("duplicates", 3, "Three copies of one point")))
