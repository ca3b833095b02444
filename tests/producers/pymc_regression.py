"""PyMC (PyMC 5, the present PyMC3): Bayesian linear regression; a record has posterior draws of mean and variance
(members) of the prediction, its interval, and a label."""
import logging

import numpy as np
import pymc as pm

from producer import Topics, shorten

logging.getLogger("pymc").setLevel(logging.ERROR)
DRAWS, RECORDS = 30, 400


def main():
    rng = np.random.default_rng(1)
    x = rng.normal(size=200)
    y = 1 + 2 * x + rng.normal(scale=0.5, size=x.size)
    with pm.Model():
        a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5)
        sd = pm.HalfNormal("sd", 2)
        pm.Normal("y", a + b * x, sd, observed=y)
        posterior = pm.sample(draws=200, tune=200, chains=1, cores=1, random_seed=2, progressbar=False,
                              compute_convergence_checks=False).posterior
    a, b, sd = (posterior[name].values.ravel()[-DRAWS:] for name in ("a", "b", "sd"))
    topics = Topics("pymc-regression", 0)
    for i in range(RECORDS):
        x = rng.normal(scale=1 if i < RECORDS / 2 else 3)  # later inputs lie outside
        mu, var = a + b * x, sd ** 2
        draws = rng.normal(np.repeat(mu, 20), np.repeat(sd, 20))
        low, high = np.quantile(draws, [0.05, 0.95])
        topics.send(i, {"features": {"x": shorten(x)}, "source": "posterior",
                        "prediction": {"value": shorten(mu.mean()), "lower": shorten(low), "upper": shorten(high),
                                       "level": 0.9},
                        "members": {"mu": shorten(mu), "var": shorten(var)}},
                    shorten(1 + 2 * x + rng.normal(scale=0.5)))
    topics.close()


main()
