"""TensorFlow Probability (on JAX): Bayesian logistic regression by Hamiltonian Monte Carlo; a record has the class
probabilities of each posterior draw (members)."""
import jax
import jax.numpy as jnp
import numpy as np
from tensorflow_probability.substrates import jax as tfp

from producer import Topics, shorten

DRAWS, RECORDS = 20, 400
tfd = tfp.distributions


def main():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(150, 2))
    y = rng.random(150) < 1 / (1 + np.exp(-(x @ [1.5, -1.0])))
    data, target = jnp.asarray(x), jnp.asarray(y, dtype=jnp.float32)

    def log_density(weights):
        prior = tfd.Normal(0.0, 2.0).log_prob(weights).sum()
        return prior + tfd.Bernoulli(logits=data @ weights).log_prob(target).sum()

    kernel = tfp.mcmc.HamiltonianMonteCarlo(log_density, step_size=0.1, num_leapfrog_steps=5)
    weights = tfp.mcmc.sample_chain(num_results=DRAWS, num_burnin_steps=200, num_steps_between_results=9,
                                    current_state=jnp.zeros(2), kernel=kernel, trace_fn=None,
                                    seed=jax.random.PRNGKey(4))
    topics = Topics("tfp-classifier", 10)
    for i in range(RECORDS):
        x = rng.normal(size=2)
        p = np.asarray(jax.nn.sigmoid(weights @ x), dtype=float)
        mean = p.mean()
        topics.send(i, {"features": {"a": shorten(x[0]), "b": shorten(x[1])}, "source": "bnn",
                        "prediction": {"class": "yes" if mean > 0.5 else "no", "classes": ["no", "yes"],
                                       "probs": shorten([1 - mean, mean])},
                        "members": {"probs": shorten(np.stack([1 - p, p], axis=1))}},
                    "yes" if rng.random() < 1 / (1 + np.exp(-(x @ [1.5, -1.0]))) else "no")
    topics.close()


main()
