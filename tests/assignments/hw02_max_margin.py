"""What students might hand in for hw02_max_margin: wrong answers, and right ones in another form.

A function is a change ``(old, new)`` of the master's solution, or a whole new definition. A number is
an expression in the names of the notebook. Wrong answers stand under the words their message must have.
"""

HELPERS = """
def with_bias(X, y):
    # the separator with a bias, by looking at every direction
    angle = np.linspace(0, 2 * np.pi, 500_001)
    u = np.column_stack([np.cos(angle), np.sin(angle)])
    street = (u @ X[y > 0].T).min(axis=1) - (u @ X[y < 0].T).max(axis=1)
    return 2 * u[street.argmax()] / street.max()
"""

WRONG = {
    "w_hat": {
        "a unit vector": "w_hat / np.linalg.norm(w_hat)",
        "with a bias": "with_bias(X, y)",
        "least-squares": "np.linalg.lstsq(Z, np.ones(n), rcond=None)[0]",
    },
    "alpha": {
        "normalised duals q": "alpha / alpha.sum()",
        "twice too large": "2 * alpha",
        "not negative": "y * alpha",
    },
    "gamma": {
        "This is |w_hat|.": "np.linalg.norm(w_hat)",
        "width of the street": "2 / np.linalg.norm(w_hat)",
        "1 / |w_hat|^2": "1 / (w_hat @ w_hat)",
    },
    "w_tilde": {
        "factor n was lost": "np.linalg.solve(Z[S], -np.log(alpha[S]))",
        "normalised duals q": "np.linalg.solve(Z[S], -np.log(n * q))",
        "sign is wrong": "np.linalg.solve(Z[S], np.log(n * alpha[S]))",
        "does not vanish": "[0, 0]",
    },
    "gap_constant": {
        "min-entropy term is missing": "-gamma * q @ np.log(q)",
        "gamma log n": "gamma * np.log(n)",
        "factor gamma is missing": "gap_constant / gamma",
        "divided by gamma": "gap_constant / gamma**2",
        "base 2": "gamma * (np.log2(q.max()) - q @ np.log2(q))",
        "base 10": "gamma * (np.log10(q.max()) - q @ np.log10(q))",
        "in the place of the probabilities q": "gamma * (np.log(alpha.max()) - alpha[S] @ np.log(alpha[S]))",
    },
    "log_loss": {
        "underflows or overflows": ("m.min() - np.log(np.mean(np.exp(m.min() - m)))", "-np.log(np.mean(np.exp(-m)))"),
        "1/n is missing": ("np.mean", "np.sum"),
        "sign is wrong": ("m.min() - np.log(np.mean(np.exp(m.min() - m)))", "np.log(np.mean(np.exp(m.min() - m))) - m.min()"),
        "smallest margin alone": ("m.min() - np.log(np.mean(np.exp(m.min() - m)))", "m.min()"),
    },
    "flow": {
        "log t = Lambda alone": ("Lambda_end + np.log(state[-1])", "Lambda_end"),
        "term -K": ("1 / (g @ g) - state[-1]", "1 / (g @ g)"),
        "not 1 - K": ("1 / (g @ g) - state[-1]", "1 - state[-1]"),
        "This is g/|g|.": ("np.append(g / (g @ g)", "np.append(g / np.linalg.norm(g)"),
        "This is g.": ("np.append(g / (g @ g)", "np.append(g"),
        "not at 0": ("Lambda = m.min() - np.log(np.mean(np.exp(m.min() - m)))", "Lambda = 0"),
        "exp(-m) underflows": ("m = Z @ state[:-1]\n        p = np.exp(m.min() - m)", "p = np.exp(-Z @ state[:-1])"),
    },
}

RIGHT = {
    "w_hat": ("list(w_hat)", "w_hat[:, None]", "[float(f'{a:.5g}') for a in w_hat]"),
    "alpha": ("alpha.tolist()", "[round(float(a), 7) for a in alpha]", "alpha.astype(np.float32)"),
    "gamma": ("[gamma]", "1 / np.sqrt(alpha.sum())", "float(f'{gamma:.5g}')"),
    "w_tilde": ("tuple(w_tilde)", "np.linalg.inv(Z[S]) @ -np.log(n * alpha[S])"),
    "gap_constant": ("np.array([[gap_constant]])", "np.float32(gap_constant)",
                     "gamma * (np.log(max(q)) - sum(float(p) * np.log(p) for p in q))"),
    "log_loss": (
        ("m.min() - np.log(np.mean(np.exp(m.min() - m)))", "np.log(len(m)) - np.logaddexp.reduce(-m)"),
        """
        def log_loss(Z, w):
            total = -np.inf
            for row in Z:
                total = np.logaddexp(total, -sum(a * b for a, b in zip(row, w)))
            return np.array([np.log(len(Z)) - total])
        """,
    ),
    "flow": (
        ("/ 0.02))", "/ 0.05))"),
        ("return state[:-1], Lambda_end + np.log(state[-1])", "return [list(state[:-1]), Lambda_end + np.log(state[-1])]"),
        # Heun's method
        ("k3 = velocity(state + h / 2 * k2)\n        k4 = velocity(state + h * k3)\n"
         "        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)",
         "state = state + h * k2"),
    ),
}
