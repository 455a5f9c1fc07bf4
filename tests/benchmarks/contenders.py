"""The same training in every library: each maker returns a function that advances by ``problem.steps``.

A contender is ``advance(theta0)``: it trains from ``theta0`` and returns the parameters after the
steps as one array of numpy. What it compiles, it compiles in its first call.
"""

import os

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update({name: "1" for name in ONE_THREAD})
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import autograd  # noqa: E402
import autograd.numpy as anp  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import deepdyn_np as dd  # noqa: E402

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(1)


# --- numpy ------------------------------------------------------------------------------------


def ours(problem):
    """`dd.run` with a rule of the package."""
    objective = problem.objective

    def rule():
        if problem.batches is not None:
            return dd.sgd(objective, problem.eta, problem.rows, Batches(problem.batches), replacement=True)
        return dd.heavy_ball(objective, problem.eta, problem.beta) if problem.beta else dd.gd(objective, problem.eta)

    return lambda theta0: dd.run(rule(), theta0, problem.steps, at=[problem.steps]).final


class Batches(np.random.Generator):
    """In the place of a generator: hands out the given batches."""

    def __init__(self, batches):
        super().__init__(np.random.PCG64(0))
        self.left = iter(batches)

    def integers(self, n, size):
        return next(self.left)


def plain(problem):
    """The text: `MLP.forward`, the loss, `MLP.backward`, a new array for each result."""
    objective, net = problem.objective, problem.net

    def advance(theta):
        velocity = np.zeros_like(theta)
        for t in range(problem.steps):
            batch = slice(None) if problem.batches is None else problem.batches[t]
            X, Y = objective.X[batch], objective.targets[batch]
            features = net.forward(theta, X)
            gradient = net.backward(theta, features, objective.loss.gradient(features.F, Y) / len(X))
            velocity = problem.beta * velocity - problem.eta * (gradient + problem.lam * theta)
            theta = theta + velocity
        return theta

    return advance


def products(problem):
    """Factors and result of each matrix product of a step, in its order, as arrays of numpy."""
    rng, dtype, members = np.random.default_rng(1), problem.theta0.dtype, problem.theta0.shape[:-1]
    W = problem.net.layers(problem.theta0)
    H = [rng.standard_normal(((*members, problem.rows, d) if k else (problem.rows, d))).astype(dtype)
         for k, d in enumerate(problem.net.widths)]
    forward = [(H[k], w.mT) for k, w in enumerate(W)]
    backward = []
    for k in reversed(range(len(W))):
        backward.append((H[k + 1].mT, H[k]))
        if k:
            backward.append((H[k + 1], W[k]))
    return [(A, B, np.empty((*members, A.shape[-2], B.shape[-1]), dtype)) for A, B in forward + backward]


def gemm(problem):
    """The floor: the matrix products of a step alone, each in the fastest form that numpy has."""
    todo = []
    for A, B, C in products(problem):
        outer = C.ndim > 2 and A.shape[-1] == 1  # many outer products are no BLAS
        todo.append((np.multiply if outer else np.matmul if C.ndim > 2 else np.dot, A, B, C))

    def advance(theta):
        for _ in range(problem.steps):
            for product, A, B, C in todo:
                product(A, B, out=C)

    return advance


# --- PyTorch ----------------------------------------------------------------------------------


def _torch_loss(problem):
    def loss(W, X, Y):
        H = X
        for w in W[:-1]:
            H = torch.relu(H @ w.mT)
        F = H @ W[-1].mT
        if problem.loss == "logistic":
            each = torch.nn.functional.softplus(-Y * F).sum(-1)
        elif problem.loss == "cross_entropy":
            each = -(torch.log_softmax(F, -1) * Y).sum(-1)
        else:
            R = F - Y
            each = ((R - R.mean(-2, keepdim=True)) ** 2).sum(-1) / 2
        return each.mean(-1).sum()

    return loss


def torch_eager(problem, compiled=False):
    loss = torch.compile(_torch_loss(problem)) if compiled else _torch_loss(problem)
    X, Y = torch.from_numpy(problem.X), torch.from_numpy(problem.Y)
    batches = None if problem.batches is None else torch.from_numpy(problem.batches)

    def advance(theta0):
        W = [torch.tensor(w, requires_grad=True) for w in problem.net.layers(theta0)]
        velocity = [torch.zeros_like(w) for w in W]
        for t in range(problem.steps):
            data = (X, Y) if batches is None else (X[batches[t]], Y[batches[t]])
            gradients = torch.autograd.grad(loss(W, *data), W)
            with torch.no_grad():
                for w, v, g in zip(W, velocity, gradients):
                    if problem.lam:
                        g = g + problem.lam * w
                    if problem.beta:
                        w += v.mul_(problem.beta).sub_(g, alpha=problem.eta)
                    else:
                        w.sub_(g, alpha=problem.eta)
        return problem.net.join([w.detach().numpy() for w in W])

    return advance


def torch_compiled(problem):
    return torch_eager(problem, compiled=True)


def torch_gemm(problem):
    todo = [tuple(map(torch.from_numpy, three)) for three in products(problem)]

    def advance(theta):
        for _ in range(problem.steps):
            for A, B, C in todo:
                torch.matmul(A, B, out=C)

    return advance


# --- JAX, and what is shared with autograd ------------------------------------------------------


def _loss(problem, np):
    """The loss in the words of numpy, for the libraries that speak it."""
    def loss(W, X, Y):
        H = X
        for w in W[:-1]:
            H = np.maximum(H @ np.swapaxes(w, -1, -2), 0)
        F = H @ np.swapaxes(W[-1], -1, -2)
        if problem.loss == "logistic":
            each = np.sum(np.logaddexp(0.0 * F, -Y * F), axis=-1)
        elif problem.loss == "cross_entropy":
            U = F - np.max(F, axis=-1, keepdims=True)
            each = np.log(np.sum(np.exp(U), axis=-1)) - np.sum(U * Y, axis=-1)
        else:
            R = F - Y
            R = R - np.mean(R, axis=-2, keepdims=True)
            each = np.sum(R * R, axis=-1) / 2
        return np.sum(np.mean(each, axis=-1))

    return loss


def _jax_step(problem):
    dtype = problem.theta0.dtype.type
    gradient = jax.grad(_loss(problem, jnp))

    def step(state, X, Y):
        W, velocity = state
        g = gradient(W, X, Y)
        if problem.lam:
            g = [a + dtype(problem.lam) * w for a, w in zip(g, W)]
        if not problem.beta:
            return [w - dtype(problem.eta) * a for w, a in zip(W, g)], velocity
        velocity = [dtype(problem.beta) * v - dtype(problem.eta) * a for v, a in zip(velocity, g)]
        return [w + v for w, v in zip(W, velocity)], velocity

    return step


def _jax_start(problem, theta0):
    W = [jnp.array(w) for w in problem.net.layers(theta0)]
    return W, [jnp.zeros_like(w) for w in W] if problem.beta else []


def _jax_end(problem, state):
    return problem.net.join([np.asarray(w) for w in jax.block_until_ready(state)[0]])


def jax_jit(problem):
    step, X, Y = _jax_step(problem), jnp.array(problem.X), jnp.array(problem.Y)
    if problem.batches is None:
        one = jax.jit(step, donate_argnums=0)
    else:
        one = jax.jit(lambda state, X, Y, batch: step(state, X[batch], Y[batch]), donate_argnums=0)
        batches = [jnp.array(batch) for batch in problem.batches]

    def advance(theta0):
        state = _jax_start(problem, theta0)
        for t in range(problem.steps):
            state = one(state, X, Y) if problem.batches is None else one(state, X, Y, batches[t])
        return _jax_end(problem, state)

    return advance


def jax_scan(problem):
    step, X, Y = _jax_step(problem), jnp.array(problem.X), jnp.array(problem.Y)
    batches = None if problem.batches is None else jnp.array(problem.batches)

    @jax.jit
    def loop(state, X, Y, batches):
        def body(state, batch):
            return step(state, X, Y) if batch is None else step(state, X[batch], Y[batch]), None

        return jax.lax.scan(body, state, batches, length=problem.steps)[0]

    return lambda theta0: _jax_end(problem, loop(_jax_start(problem, theta0), X, Y, batches))


def jax_gemm(problem):
    factors = [(jnp.array(A), jnp.array(B)) for A, B, _ in products(problem)]
    one = jax.jit(lambda factors: [A @ B for A, B in factors])

    def advance(theta):
        for _ in range(problem.steps):
            results = one(factors)
        jax.block_until_ready(results)

    return advance


def hips_autograd(problem):
    gradient = autograd.grad(_loss(problem, anp))

    def advance(theta0):
        W = [w.copy() for w in problem.net.layers(theta0)]
        velocity = [np.zeros_like(w) for w in W]
        for t in range(problem.steps):
            batch = slice(None) if problem.batches is None else problem.batches[t]
            g = gradient(W, problem.X[batch], problem.Y[batch])
            for k, a in enumerate(g):
                velocity[k] = problem.beta * velocity[k] - problem.eta * (a + problem.lam * W[k])
                W[k] = W[k] + velocity[k]
        return problem.net.join(W)

    return advance


TRAINERS = {"ours": ours, "plain": plain, "torch": torch_eager, "torch compiled": torch_compiled,
            "jax jit": jax_jit, "jax scan": jax_scan, "autograd": hips_autograd}
FLOORS = {"gemm": gemm, "torch gemm": torch_gemm, "jax gemm": jax_gemm}


# --- Hessian-vector products ----------------------------------------------------------------------


def hvp_ours(problem, v):
    objective = problem.objective
    return lambda theta: objective.hvp(theta, v)


def hvp_torch(problem, v):
    loss, X, Y = _torch_loss(problem), torch.from_numpy(problem.X), torch.from_numpy(problem.Y)
    V = [torch.tensor(w) for w in problem.net.layers(v)]

    def product(theta):
        W = [torch.tensor(w, requires_grad=True) for w in problem.net.layers(theta)]
        g = torch.autograd.grad(loss(W, X, Y), W, create_graph=True)
        slope = sum((a * b).sum() for a, b in zip(g, V))
        return problem.net.join([a.numpy() for a in torch.autograd.grad(slope, W)])

    return product


def hvp_jax(problem, v):
    X, Y, gradient = jnp.array(problem.X), jnp.array(problem.Y), jax.grad(_loss(problem, jnp))
    V = [jnp.array(w) for w in problem.net.layers(v)]
    one = jax.jit(lambda W, V: jax.jvp(lambda W: gradient(W, X, Y), (W,), (V,))[1])
    W0 = [jnp.array(w) for w in problem.net.layers(problem.theta0)]

    def product(theta):
        return problem.net.join([np.asarray(w) for w in jax.block_until_ready(one(W0, V))])

    return product


def hvp_autograd(problem, v):
    V, gradient = problem.net.layers(v), autograd.grad(_loss(problem, anp))

    def slope(W):
        return sum(anp.sum(a * b) for a, b in zip(gradient(W, problem.X, problem.Y), V))

    return lambda theta: problem.net.join(autograd.grad(slope)(problem.net.layers(theta)))


def hvp_gemm(problem, v):
    """The products of `MLP.hvp`: each factor of a gradient's products moves along v, but for the input."""
    L, todo = problem.net.depth, []
    for i, three in enumerate(products(problem)):
        first, weight = i in (0, 3 * L - 2), i >= L and (i - L) % 2 == 0
        todo += [three] * (3 - first - weight)

    def product(theta):
        for A, B, C in todo:
            np.dot(A, B, out=C)

    return product


HVPS = {"ours": hvp_ours, "torch": hvp_torch, "jax jit": hvp_jax, "autograd": hvp_autograd, "gemm": hvp_gemm}
