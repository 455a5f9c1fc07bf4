"""Answers, inputs and plausible mistakes of the assignment on hand-derived gradients.

The right answers come from the package. The mistakes are variants of the two loops of the chapter,
each with one thing wrong.
"""

from functools import partial

import numpy as np

import deepdyn_np as dd
from deepdyn_np.classroom.questions import (Assignment, Code, Function, Mistake, Number, Written,
                                            personal_rng, with_released_id)
from deepdyn_np.theory import hand_derived_gradients as theory

ROUNDOFF = 2.0**-53

# --- personal data ------------------------------------------------------------------------------


def data(student):
    """The scalar network f = w3 w2 w1 x, a direction v, and a target y below every output.

    All factors are positive and f - y > 0: no two terms of any formula cancel.
    """
    rng = personal_rng(student)
    w, v = rng.integers(2, 9, size=3) / 4, rng.integers(2, 9, size=3) / 4
    return {"w": w, "v": v, "x": rng.integers(3, 9) / 4, "y": -rng.integers(2, 7) / 4}


# --- 1 forward --------------------------------------------------------------------------------------


def network(rng, draw):
    """W, b and X; the first network is square, so that a transposed matrix has a fitting shape."""
    widths = [4] * 4 if draw == 0 else rng.integers(2, 7, size=3 + draw % 3)
    W = [rng.normal(size=shape) / np.sqrt(shape[1]) for shape in zip(widths[1:], widths)]
    return W, [rng.normal(size=len(W_k)) / 2 for W_k in W], rng.normal(size=(rng.integers(5, 9), widths[0]))


def activation(draw):
    return "relu" if draw % 2 else "tanh"


def mlp(W, name):
    return dd.MLP([W[0].shape[1], *map(len, W)], name, bias=True)


def forward(W, b, X, name):
    net = mlp(W, name)
    return list(net.forward(net.join(W, b), X).Z)


def forward_inputs(rng, draw):
    return *network(rng, draw), activation(draw)


S = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}
SLOPE = {"tanh": lambda z: 1 - np.tanh(z) ** 2, "relu": lambda z: (z > 0) * 1.0}
CURVATURE = {"tanh": lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2), "relu": np.zeros_like}


def forward_with(W, b, X, name, *, weight=np.transpose, bias=1, on_output=lambda z: z, first=lambda x: x,
                 give="Z"):
    Z, H = [], [first(X)]
    for k, (W_k, b_k) in enumerate(zip(W, b)):
        Z.append(H[k] @ weight(W_k) + bias * b_k)
        H.append(S[name](Z[k]) if k + 1 < len(W) else Z[k])
    Z[-1] = on_output(Z[-1])
    return Z if give == "Z" else H[1:]


FORWARD = Function(
    "forward", 2, "Forward pass with biases", forward, forward_inputs, rtol=1e-4, atol=1e-5, mistakes=(
        Mistake("There is an activation on the last layer. The output layer is linear: F = Z_L.",
                lambda W, b, X, name: forward_with(W, b, X, name, on_output=S[name])),
        Mistake("This is W where W^T is needed: samples are rows, so Z_k = H_{k-1} W_k^T + b_k.",
                partial(forward_with, weight=lambda W_k: W_k)),
        Mistake("The biases are missing.", partial(forward_with, bias=0)),
        Mistake("These are the activations H_1, ..., H_{L-1} and F. Asked for are the pre-activations Z_k, "
                "before s.", partial(forward_with, give="H")),
        Mistake("The activation was applied to the inputs. H_0 = X as it is.",
                lambda W, b, X, name: forward_with(W, b, X, name, first=S[name])),
    ))

# --- 2 the derivative of the loss with respect to the outputs ----------------------------------------

LOSSES = {"square": dd.losses.square, "logistic": dd.losses.logistic,
          "cross-entropy": dd.losses.cross_entropy}


def output_gradient(F, Y, loss):
    of_package = LOSSES[loss]
    labels = Y[:, 0] if loss == "logistic" else Y
    return of_package.gradient(F, of_package.targets(labels, *F.shape)) / len(F)


def output_inputs(rng, draw):
    loss = ("square", "logistic", "cross-entropy")[draw % 3]
    n, C = rng.integers(4, 9), 1 if loss == "logistic" else rng.integers(3, 6)
    Y = {"square": rng.normal(size=(n, C)), "logistic": rng.choice([-1.0, 1.0], size=(n, 1)),
         "cross-entropy": np.eye(C)[rng.integers(C, size=n)]}[loss]
    return rng.normal(size=(n, C)) * 2, Y, loss


def output_with(F, Y, loss, *, factor=lambda F: 1.0, square=1.0, label=lambda Y: Y, softmax_axis=1, onehot=1):
    if loss == "square":
        D = square * (F - Y)
    elif loss == "logistic":
        D = -label(Y) / (1 + np.exp(Y * F))
    else:
        p = np.exp(F)
        D = p / p.sum(axis=softmax_axis, keepdims=True) - onehot * Y
    return D * factor(F) / len(F)


OUTPUT_GRADIENT = Function(
    "output_gradient", 3, "The derivative of three losses", output_gradient, output_inputs, draws=6,
    rtol=1e-4, atol=1e-5, mistakes=(
        Mistake("The factor 1/n is missing: the loss is a mean over the samples, not a sum.",
                partial(output_with, factor=len)),
        Mistake("You divided by n twice.", partial(output_with, factor=lambda F: 1 / len(F))),
        Mistake("You divided by the number of all entries, n C (as np.mean does). The mean is over samples "
                "only: divide by n.", partial(output_with, factor=lambda F: 1 / F.shape[1])),
        Mistake("The square loss is twice too large: its factor 1/2 cancels the 2 of the derivative.",
                partial(output_with, square=2)),
        Mistake("The label is missing in the logistic loss: m = y f, so the chain rule gives a factor y.",
                partial(output_with, label=np.ones_like)),
        Mistake("The sign is wrong: this is minus the gradient.", partial(output_with, factor=lambda F: -1)),
        Mistake("The softmax sums over the samples. The probabilities of each sample, a row, add up to 1.",
                partial(output_with, softmax_axis=0)),
        Mistake("The cross-entropy gives the probabilities p alone. Its derivative is p - e_y.",
                partial(output_with, onehot=0)),
    ))

# --- 3 backward ---------------------------------------------------------------------------------------


def passed(rng, draw):
    """A network and its forward pass, with the activations H_0, ..., H_{L-1}."""
    W, b, X = network(rng, draw)
    net = mlp(W, activation(draw))
    features = net.forward(net.join(W, b), X)
    return W, net.join(W, b), net, features, list(features.Z), list(features.H[:-1])


def backward_inputs(rng, draw):
    W, _, _, features, Z, H = passed(rng, draw)
    return W, Z, H, rng.normal(size=features.F.shape) / len(features.F), activation(draw)


def of_layers(net, theta):
    return net.layers(theta), net.biases(theta)


def without_biases(net, W):
    """theta from W alone, for what does not depend on the biases once Z and H are given."""
    return net.join(W, [np.zeros(len(W_k)) for W_k in W])


def backward(W, Z, H, D, name):
    net = mlp(W, name)
    features = type(net.forward(without_biases(net, W), H[0]))(tuple(Z), (*H, Z[-1]))
    return of_layers(net, net.backward(without_biases(net, W), features, D))


def backward_with(W, Z, H, D, name, *, slope=None, weight=lambda W_k: W_k,
                  weight_gradient=lambda D, H: D.T @ H, bias_gradient=lambda D: D.sum(axis=0),
                  lower=lambda Z, H: Z, factor=lambda D: 1.0):
    slope, G, g = slope or SLOPE[name], [], []
    for k in reversed(range(len(W))):
        G.insert(0, weight_gradient(D, H[k]) * factor(D))
        g.insert(0, bias_gradient(D) * factor(D))
        if k:
            D = (D @ weight(W[k])) * slope(lower(Z[k - 1], H[k]))
    return G, g


BACKWARD = Function(
    "backward", 4, "Backward pass with biases", backward, backward_inputs, rtol=1e-4, atol=1e-5, mistakes=(
        Mistake("You divided by n twice: the factor 1/n is already inside D_L.",
                partial(backward_with, factor=lambda D: 1 / len(D))),
        Mistake("The bias gradient is the mean over the samples. It is the sum of the rows of D_k: 1/n is "
                "already inside D_L.", partial(backward_with, bias_gradient=lambda D: D.mean(axis=0))),
        Mistake("The slope of the activation is missing: D_{k-1} = (D_k W_k) * s'(Z_{k-1}).",
                partial(backward_with, slope=np.ones_like)),
        Mistake("This is W^T where W is needed: forward multiplies by W_k^T, backward by W_k.",
                partial(backward_with, weight=np.transpose)),
        Mistake("The gradients of the weights are transposed: G_k = D_k^T H_{k-1} has the shape of W_k.",
                partial(backward_with, weight_gradient=lambda D, H: H.T @ D)),
        Mistake("The slope was taken at the activation H_{k-1}. It is s' at the pre-activation Z_{k-1}.",
                partial(backward_with, lower=lambda Z, H: H)),
    ))

# --- 4 Hessian-vector product -------------------------------------------------------------------------


def hvp_inputs(rng, draw):
    W, _, _, features, Z, H = passed(rng, draw)
    V = [rng.normal(size=W_k.shape) for W_k in W]
    D = (features.F - rng.normal(size=features.F.shape)) / len(features.F)
    return W, V, [rng.normal(size=len(W_k)) for W_k in W], Z, H, D, activation(draw)


def hvp(W, V, c, Z, H, D, name):
    net = mlp(W, name)
    features = type(net.forward(without_biases(net, W), H[0]))(tuple(Z), (*H, Z[-1]))
    product = net.hvp(without_biases(net, W), features, net.join(V, c), D, lambda change: change / len(D))
    return of_layers(net, product)


def hvp_with(W, V, c, Z, H, D, name, *, curvature=None, weight_change=1, input_change=1, bias_change=1,
             mean=True):
    s1, s2, n = SLOPE[name], curvature or CURVATURE[name], len(D) if mean else 1
    Hdot, Zdot = [np.zeros_like(H[0])], []
    for k in range(len(W)):
        Zdot.append(Hdot[k] @ W[k].T + H[k] @ V[k].T + bias_change * c[k])
        Hdot.append(s1(Z[k]) * Zdot[k])
    Ddot, G, g = Zdot[-1] / n, [], []
    for k in reversed(range(len(W))):
        G.insert(0, Ddot.T @ H[k] + input_change * D.T @ Hdot[k])
        g.insert(0, Ddot.sum(axis=0))
        if k:
            below, slope = D @ W[k], s1(Z[k - 1])
            Ddot = (Ddot @ W[k] + weight_change * D @ V[k]) * slope + below * s2(Z[k - 1]) * Zdot[k - 1]
            D = below * slope
    return G, g


HVP = Function(
    "hvp", 5, "Hessian-vector product with biases", hvp, hvp_inputs, rtol=1e-4, atol=1e-5, mistakes=(
        Mistake("The term with s'' is missing. The result is still symmetric, and for ReLU even right: only "
                "tanh shows it.", partial(hvp_with, curvature=np.zeros_like)),
        Mistake("The term D_k^T Hdot_{k-1} is missing: G_k = D_k^T H_{k-1} is a product of two factors that "
                "both move.", partial(hvp_with, input_change=0)),
        Mistake("The term D_k V_k is missing: W_k moves too in D_{k-1} = (D_k W_k) * s'(Z_{k-1}).",
                partial(hvp_with, weight_change=0)),
        Mistake("The factor 1/n of the mean is missing in Ddot_L: D_L = (F - Y) / n, so Ddot_L = Zdot_L / "
                "n.", partial(hvp_with, mean=False)),
        Mistake("The direction c of the biases is missing in Zdot_k.", partial(hvp_with, bias_change=0)),
        Mistake("This is the Gauss-Newton matrix times the vector: D_k V_k, D_k^T Hdot_{k-1} and s'' are "
                "all missing.", partial(hvp_with, curvature=np.zeros_like, weight_change=0, input_change=0)),
    ))

# --- 5 gradient check ---------------------------------------------------------------------------------

# Which gradient is put to the check, and in which units its loss is measured.
CASES = (("right", 1), ("right", 1e6), ("right", 1e-11),
         ("right, small slope", 1), ("right, small slope", 1e-11),
         ("lost 1/n", 1), ("lost 1/n", 1e-11), ("transposed", 1), ("transposed", 1e-11),
         ("1 % in a layer", 1), ("1 % in a layer", 1e-11))


def check_inputs(rng, draw):
    """Loss, gradient, point and direction; redrawn until the case shows what it is for."""
    kind, unit = CASES[draw]
    net = dd.MLP((3, 4, 4, 1), "tanh")
    while True:
        X, Y = rng.normal(size=(7, 3)), rng.normal(size=(7, 1))
        objective, theta = dd.Objective(net, dd.losses.square, X, Y), net.init(rng)
        gradient, v = objective.gradient(theta), rng.normal(size=net.size)
        claimed = {"lost 1/n": len(X) * gradient, "transposed": net.join(transposed(net.layers(gradient))),
                   "1 % in a layer": net.join(enlarged(net.layers(gradient)))}.get(kind, gradient)
        if "small" in kind:
            v = (v - 0.998 * (gradient @ v) / (gradient @ gradient) * gradient) / 4
        if shows(kind, objective, theta, gradient, claimed, v):
            return loss_of(X, Y, unit), Code(f"lambda theta: np.array({(unit * claimed).tolist()})"), theta, v


def transposed(G):
    return [G[0], G[1].T, G[2]]


def enlarged(G):
    return [G[0], 1.01 * G[1], G[2]]


def shows(kind, objective, theta, gradient, claimed, v):
    """Whether a wrong slope is at least 0.1 % off, and a right one easy for the central difference only.

    Errors relative to the slope, by Taylor: with a small slope the one-sided difference of step 1e-6 is off
    by more than 2e-4, the central one of step 1e-4 by at most 1e-5.
    """
    slope, bend = gradient @ v, v @ objective.hvp(theta, v)
    third = v @ (objective.hvp(theta + 1e-4 * v, v) - objective.hvp(theta - 1e-4 * v, v)) / 2e-4
    one_sided, central = abs(bend / slope) * 1e-6 / 2, abs(third / slope) * 1e-8 / 6
    clean = central < 1e-5 and abs(objective.value(theta) / slope) < 3e3
    if kind == "right":
        return clean and one_sided < 3e-6
    if "small" in kind:
        return clean and one_sided > 2e-4
    off = abs(claimed @ v / slope - 1)
    return clean and (1e-3 < off < 7e-3 if "layer" in kind else off > 0.1)


def loss_of(X, Y, unit):
    """The loss of the network as an expression, which can be sent to the student's process."""
    H2 = "np.tanh(np.tanh(X @ theta[:12].reshape(4, 3).T) @ theta[12:28].reshape(4, 4).T)"
    return Code(f"lambda theta, X=np.array({X.tolist()}), Y=np.array({Y.tolist()}): "
                f"{unit / 2 / len(X)!r} * np.sum(({H2} @ theta[28:, None] - Y) ** 2)")


def gradient_check(f, grad, theta, v):
    """By the complex step, which has no error to speak of."""
    f, grad = f.value(), grad.value()
    slope = f(theta + 1e-30j * v).imag / 1e-30
    return bool(abs(np.dot(grad(theta), v) - slope) < 1e-5 * abs(slope))


def central_difference(f, theta, v, h=1e-5):
    return (f(theta + h * v) - f(theta - h * v)) / (2 * h)


def one_sided_difference(f, theta, v, h=1e-6):
    return (f(theta + h * v) - f(theta)) / h


def check_with(f, grad, theta, v, *, difference=central_difference, direction=lambda v: v,
               agree=lambda claimed, slope: abs(claimed - slope) < 1e-4 * abs(slope)):
    f, grad, v = f.value(), grad.value(), direction(v)
    return bool(agree(np.dot(grad(theta), v), difference(f, theta, v)))


GRADIENT_CHECK = Function(
    "gradient_check", 4, "A gradient check that catches three errors", gradient_check, check_inputs,
    draws=len(CASES), mistakes=(
        Mistake("It accepts everything, right and wrong gradients.", lambda *_: True),
        Mistake("All right gradients are rejected: the error of your difference quotient is larger than the "
                "tolerance. Is the quotient one-sided? Is the step so small that rounding takes over? Or is the "
                "tolerance smaller than any difference can reach?", lambda *_: False),
        Mistake("A right gradient is rejected along a direction of small slope. Is the difference "
                "one-sided? It is off by h |phi''| / 2: use the central one. Or is the step too small? "
                "Rounding costs delta / h.", partial(check_with, difference=one_sided_difference)),
        Mistake("The tolerance is too wide: an error of 1 % in one layer passes.",
                partial(check_with, agree=lambda a, b: abs(a - b) < 1e-2 * abs(b))),
        Mistake("The tolerance is absolute: small wrong gradients pass, large right ones are rejected. "
                "Compare relative to the size of the slope.",
                partial(check_with, agree=lambda a, b: abs(a - b) < 1e-6)),
        Mistake("Small wrong gradients pass: np.isclose and np.allclose have an absolute tolerance of 1e-8 "
                "unless you set atol=0.",
                partial(check_with, agree=lambda a, b: np.isclose(a, b, rtol=1e-4))),
        Mistake("A transposed layer passes: along the vector of ones a matrix and its transpose give the "
                "same sum. Use the direction v.", partial(check_with, direction=np.ones_like)),
    ))

# --- 6, 7 numbers -------------------------------------------------------------------------------------


def curvature(data):
    objective = dd.Objective(dd.MLP((1, 1, 1, 1), "linear"), dd.losses.square, [[data["x"]]], [[data["y"]]])
    return data["v"] @ objective.hvp(data["w"], data["v"])


def curvature_with(data, *, residual=1, factor=1, pairs=1, diagonal=0):
    w, v, x, y = data["w"], data["v"], data["x"], data["y"]
    f, ratio = w.prod() * x, v / w
    second = f * (pairs * (ratio.sum() ** 2 - ratio @ ratio) + diagonal * ratio @ ratio)
    return factor * ((f * ratio.sum()) ** 2 + residual * (f - y) * second)


CURVATURE_NUMBER = Number(
    "curvature", 2, "The curvature of a scalar network", curvature, rtol=1e-4, mistakes=(
        Mistake("The residual term (f - y) v.(Hessian of f) v is missing: this is the Gauss-Newton part "
                "alone.", partial(curvature_with, residual=0)),
        Mistake("This is the curvature of (f - y)^2, without the factor 1/2 of the square loss.",
                partial(curvature_with, factor=2)),
        Mistake("Each pair j < k was counted once. The Hessian of f has both entries (j, k) and (k, j).",
                partial(curvature_with, pairs=0.5)),
        Mistake("The diagonal of the Hessian of f is 0, not f / w_k^2: f is linear in each weight.",
                partial(curvature_with, diagonal=1)),
        Mistake("The residual has the wrong sign: it is f - y.", partial(curvature_with, residual=-1)),
        with_released_id(curvature, data),
    ))


def best_step(data):
    derivatives = theory.product_derivatives(data["w"], data["v"], data["x"])
    return theory.best_central(derivatives[3], ROUNDOFF * abs(derivatives[0]))[0]


def best_step_with(data, *, roundoff=ROUNDOFF, third=6.0, three=3.0):
    f = data["w"].prod() * data["x"]
    return np.cbrt(three * roundoff * f / (third * data["v"].prod() * data["x"]))


def best_one_sided_step(data):
    ratio = data["v"] / data["w"]
    return 2 * np.sqrt(ROUNDOFF / (ratio.sum() ** 2 - ratio @ ratio))


BEST_STEP = Number(
    "best_step", 2, "The best step of a central difference", best_step, rtol=1e-3, atol=0, mistakes=(
        Mistake("This is the best step of the one-sided difference, 2 sqrt(delta / |phi''|).",
                best_one_sided_step),
        Mistake("The third derivative of phi is 6 v1 v2 v3 x: the factor 3! is missing.",
                partial(best_step_with, third=1.0)),
        Mistake("The unit roundoff is u = 2^-53, half of np.finfo(float).eps.",
                partial(best_step_with, roundoff=2 * ROUNDOFF)),
        Mistake("The 3 in h^3 = 3 delta / |phi'''| is missing: set the derivative of the bound to 0.",
                partial(best_step_with, three=1.0)),
        with_released_id(best_step, data),
    ))

ASSIGNMENT = Assignment(
    name="hw01_gradients", title="Hand-derived gradients", chapter="01_hand_derived_gradients", data=data,
    questions=(FORWARD, OUTPUT_GRADIENT, BACKWARD, HVP, GRADIENT_CHECK, CURVATURE_NUMBER, BEST_STEP,
               Written("kinks", 3, "A check that fails at one step")))
