"""What students might hand in for hw01_gradients: wrong answers, and right ones in another form.

A function is a change ``(old, new)`` of the master's solution, or a whole new definition. A number is
an expression in the names of the notebook. Wrong answers stand under the words their message must have.
"""

HELPERS = ""

WRONG = {
    "forward": {
        "activation on the last layer": ("    return Z", "    return [*Z[:-1], H]"),
        "W where W^T": ("H @ W_k.T + b_k", "H @ W_k + b_k"),
        "biases are missing": ("H @ W_k.T + b_k", "H @ W_k.T"),
        "pre-activations Z_k, before s": """
            def forward(W, b, X, activation):
                H = [X]
                for k in range(len(W)):
                    z = H[-1] @ W[k].T + b[k]
                    H.append(s(z, activation) if k + 1 < len(W) else z)
                return H[1:]
            """,
        "applied to the inputs": ("Z, H = [], X", "Z, H = [], s(X, activation)"),
    },
    "output_gradient": {
        "1/n is missing": ("n = len(F)", "n = 1"),
        "divided by n twice": ("n = len(F)", "n = len(F) ** 2"),
        "number of all entries": ("n = len(F)", "n = F.size"),
        "cancels the 2": ("(F - Y) / n", "2 * (F - Y) / n"),
        "label is missing": ("-Y / (1 + np.exp(Y * F))", "-1 / (1 + np.exp(Y * F))"),
        "sign is wrong": ("n = len(F)", "n = -len(F)"),
        "sums over the samples": ("axis=1", "axis=0"),
        "probabilities p alone": ("(p - Y) / n", "p / n"),
    },
    "backward": {
        "divided by n twice": ("G, g = [], []", "G, g, D = [], [], D / len(D)"),
        "mean over the samples": ("D.sum(axis=0)", "D.mean(axis=0)"),
        "slope of the activation is missing": ("(D @ W[k]) * s1(Z[k - 1], activation)", "D @ W[k]"),
        "W^T where W": ("(D @ W[k])", "(D @ W[k].T)"),
        "weights are transposed": ("D.T @ H[k]", "H[k].T @ D"),
        "at the activation": ("s1(Z[k - 1], activation)", "s1(H[k], activation)"),
    },
    "hvp": {
        "term with s''": ("s2(Z[k - 1], activation)", "0"),
        "term D_k^T Hdot_{k-1}": ("Ddot.T @ H[k] + D.T @ Hdot[k]", "Ddot.T @ H[k]"),
        "term D_k V_k": ("Ddot @ W[k] + D @ V[k]", "Ddot @ W[k]"),
        "1/n of the mean": ("Zdot[-1] / len(D)", "Zdot[-1]"),
        "direction c": (" + c[k]", ""),
        "Gauss-Newton": """
            def hvp(W, V, c, Z, H, D, activation):
                Zdot, moved = [], np.zeros_like(H[0])
                for k in range(len(W)):
                    Zdot.append(moved @ W[k].T + H[k] @ V[k].T + c[k])
                    moved = s1(Z[k], activation) * Zdot[k]
                D, G, g = Zdot[-1] / len(D), [], []
                for k in range(len(W) - 1, -1, -1):
                    G, g = [D.T @ H[k], *G], [D.sum(axis=0), *g]
                    D = (D @ W[k]) * s1(Z[k - 1], activation)
                return G, g
            """,
    },
    "gradient_check": {
        "accepts everything": ("    h = 1e-5", "    return True"),
        "All right gradients are rejected": ("h = 1e-5", "h = 1e-16"),
        "one-sided": ("(f(theta + h * v) - f(theta - h * v)) / (2 * h)", "(f(theta + h * v) - f(theta)) / h"),
        "too wide": ("1e-4 *", "1e-2 *"),
        "absolute: small wrong": ("1e-4 * abs(slope)", "1e-6"),
        "np.isclose": ("abs(claimed - slope) < 1e-4 * abs(slope)", "np.isclose(claimed, slope, rtol=1e-4)"),
        "transposed layer passes": ("h = 1e-5", "h, v = 1e-5, np.ones_like(v)"),
    },
    "curvature": {
        "residual term": "slope**2",
        "without the factor 1/2": "2 * curvature",
        "counted once": "slope**2 + (f - y) * second / 2",
        "diagonal of the Hessian": "slope**2 + (f - y) * sum(f * v[j] * v[k] / w[j] / w[k] for j in range(3) for k in range(3))",
        "wrong sign": "slope**2 + (y - f) * second",
    },
    "best_step": {
        "one-sided difference": "2 * np.sqrt(2.0**-53 * f / second)",
        "factor 3!": "(3 * roundoff / (third / 6)) ** (1 / 3)",
        "unit roundoff": "(3 * np.finfo(float).eps * f / third) ** (1 / 3)",
        "The 3 in": "np.cbrt(roundoff / third)",
    },
}

RIGHT = {
    "forward": (
        """
        def forward(W, b, X, activation):
            Z, H = [], [list(row) for row in X]
            for W_k, b_k in zip(W, b):
                Z.append([[sum(w * h for w, h in zip(unit, row)) + bias for unit, bias in zip(W_k, b_k)] for row in H])
                H = [[np.tanh(z) if activation == "tanh" else max(z, 0) for z in row] for row in Z[-1]]
            return Z
        """,
        ("Z, H = [], X", "Z, H = [], X.astype(np.float32)\n    W, b = ([A.astype(np.float32) for A in B] for B in (W, b))"),
        ("return Z", "return tuple(Z)"),
    ),
    "output_gradient": (
        """
        def output_gradient(F, Y, loss):
            rows = []
            for f, y in zip(F, Y):
                p = np.exp(f) / np.exp(f).sum()
                row = {"square": f - y, "logistic": -y / (1 + np.exp(y * f)), "cross-entropy": p - y}[loss]
                rows.append(list(row / len(F)))
            return rows
        """,
        ("n = len(F)", "n, F = F.shape[0], F.astype(np.float32)"),
    ),
    "backward": (
        """
        def backward(W, Z, H, D, activation):
            G, g = [None] * len(W), [None] * len(W)
            for k in range(len(W))[::-1]:
                G[k] = np.einsum("ij,ik->jk", D, H[k])
                g[k] = np.array([sum(column) for column in D.T])
                D = np.einsum("ij,jk->ik", D, W[k]) * s1(Z[k - 1], activation) if k else None
            return tuple(G), tuple(g)
        """,
        ("G, g = [], []", "G, g, D = [], [], D.astype(np.float32)"),
        ("return G, g", "return [G, [g_k[:, None] for g_k in g]]"),
    ),
    "hvp": (
        ("D.T @ Hdot[k]", "sum(np.outer(D[i], Hdot[k][i]) for i in range(len(D)))"),
        ("return G, g", "return [A.astype(np.float32) for A in G], [a.astype(np.float32) for a in g]"),
    ),
    "gradient_check": (
        ("h = 1e-5\n    slope = (f(theta + h * v) - f(theta - h * v)) / (2 * h)", "slope = f(theta + 1e-20j * v).imag / 1e-20"),
        ("1e-4 * abs(slope)", "1e-5 * max(abs(slope), abs(claimed))"),
        ("h = 1e-5", "h = 1e-6"),
        ("h = 1e-5", "h = 1e-4"),
        ("bool(abs(claimed - slope) < 1e-4 * abs(slope))", "np.isclose(claimed, slope, rtol=1e-4, atol=0)"),
        """
        def gradient_check(f, grad, theta, v):
            claimed, numerical = grad(theta), np.empty(len(theta))
            for k, axis in enumerate(np.eye(len(theta))):
                numerical[k] = (f(theta + 1e-5 * axis) - f(theta - 1e-5 * axis)) / 2e-5
            return np.linalg.norm(claimed - numerical) < 1e-4 * np.linalg.norm(numerical)
        """,
    ),
    "curvature": (
        "[curvature]",
        "float(v @ (np.outer(w.prod() / w, w.prod() / w) * x**2 + (f - y) * f * (1 - np.eye(3)) / np.outer(w, w)) @ v)",
        "round(float(curvature), 3)",
    ),
    "best_step": ("np.array([best_step])", "np.float32(best_step)", "np.cbrt(2.0**-53 * w.prod() / (2 * v.prod()))"),
}
