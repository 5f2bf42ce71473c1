"""JAX: many steps in one compiled scan, with its own Adam; only networks of dense layers.

Option: `unroll`, how many steps of a scan are compiled as one. XLA's own settings come from the environment.
"""
import os

import numpy as np

jax = jnp = None

# Steps of a scan. Compiled code has a fixed number of steps; the remaining steps run in scans of one.
STEPS = 32


def blas():
    return "XLA"


def initial_parameters(workload):
    random = np.random.default_rng()

    def weights(inputs, outputs):
        return jnp.array(random.normal(0, (2 / inputs) ** 0.5, (inputs, outputs)), jnp.float32)

    parameters, widths = [], workload["widths"]
    for i in range(len(widths) - 1):
        layer = (weights(widths[i], widths[i + 1]), jnp.zeros(widths[i + 1]))
        if workload["batchNorm"] and i < len(widths) - 2:
            layer += (jnp.ones(widths[i + 1]), jnp.zeros(widths[i + 1]))
        parameters.append(layer)
    return parameters


def forward(parameters, x):
    for i, layer in enumerate(parameters):
        x = x @ layer[0] + layer[1]
        if len(layer) == 4:
            x = (x - x.mean(0)) * jax.lax.rsqrt(x.var(0) + 1e-5) * layer[2] + layer[3]
        if i < len(parameters) - 1:
            x = jax.nn.relu(x)
    return x


def make_step(images, labels):
    def loss(parameters, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(parameters, x)), y[:, None], 1).mean()

    def adam(state, indices):
        parameters, means, squares, t = state
        gradient = jax.grad(loss)(parameters, images[indices], labels[indices])
        t = t + 1
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradient)
        squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradient)
        c1, c2 = 1 - 0.9**t, 1 - 0.999**t
        update = lambda p, m, v: p - 1e-3 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8)
        return (jax.tree.map(update, parameters, means, squares), means, squares, t), None

    return adam


class Model:
    def __init__(self, workload, epoch, infer):
        parameters = initial_parameters(workload)
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        squares = jax.tree.map(jnp.zeros_like, parameters)
        self.state = (parameters, zeros, squares, jnp.array(0.0))
        self.epoch, self.infer = epoch, infer

    def place(self, images):
        return jnp.array(images)

    def train(self, images, labels, batch):
        # A smaller last batch is skipped for the same reason.
        steps = len(labels) // batch
        order = np.random.permutation(len(labels))[: steps * batch].reshape(steps, batch)
        at = 0
        while at < steps:
            count = STEPS if at + STEPS <= steps else 1
            self.state = self.epoch(self.state, order[at : at + count])
            at += count
        jax.block_until_ready(self.state)

    def predictor(self, batch):
        parameters = self.state[0]
        return lambda x: self.infer(parameters, x).block_until_ready()

    def probabilities(self, images):
        return jax.nn.softmax(self.infer(self.state[0], jnp.array(images)), axis=1)


def load(workload, threads, options, train):
    global jax, jnp
    # XLA uses as many threads as the process may use processors.
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import jax as library

    jax, jnp = library, library.numpy
    jax.config.update("jax_platforms", "cpu")
    step = make_step(jnp.array(train[0]), jnp.array(train[1]))
    epoch = jax.jit(lambda state, order: jax.lax.scan(step, state, order, unroll=options["unroll"])[0], donate_argnums=0)
    infer = jax.jit(lambda parameters, x: forward(parameters, x))
    create = lambda: Model(workload, epoch, infer)
    if workload["task"] == "train":
        compiled = (STEPS + 1) * workload["batchSize"]
        create().train(train[0][:compiled], train[1][:compiled], workload["batchSize"])
    return create
