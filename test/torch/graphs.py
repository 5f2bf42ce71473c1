"""Networks with branches, shared layers, several inputs and outputs, in PyTorch; and losses of all kinds.

python3 graphs.py FOLDER    writes graphs.safetensors: of each network its start, what it computes, and how it trains;
                            and graph-losses.safetensors: of each loss its value and gradient

Everything is in blasnet's layout and under its names: images have their channels last, a dense layer's weight is
[inputs, units] and a convolution's [height, width, inputs, filters].
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional

from sequentials import write_safetensors

STEPS, ROWS, MOMENTUM = 5, 6, 0.9


class Net:
    """Parameters by name, drawn at their first use, and what layers compute with them."""

    def __init__(self):
        self.parameters, self.state, self.training = {}, {}, True

    def draw(self, name, shape, centre=0.0):
        if name not in self.parameters:
            spread = 0.5 if len(shape) == 1 else (2 / torch.tensor(shape[:-1]).prod()) ** 0.5
            self.parameters[name] = (centre + spread * torch.randn(shape)).requires_grad_()
        return self.parameters[name]

    def dense(self, x, name, units):
        return x @ self.draw(f"{name}.weight", (x.shape[1], units)) + self.draw(f"{name}.bias", (units,))

    def conv(self, x, name, filters, window=3):
        weight = self.draw(f"{name}.weight", (window, window, x.shape[3], filters))
        bias = self.draw(f"{name}.bias", (filters,))
        y = functional.conv2d(x.permute(0, 3, 1, 2), weight.permute(3, 2, 0, 1), bias, padding=window // 2)
        return y.permute(0, 2, 3, 1)

    def norm(self, x, name):
        channels = x.shape[-1]
        gamma, beta = self.draw(f"{name}.gamma", (channels,), 1.0), self.draw(f"{name}.beta", (channels,))
        mean = self.state.setdefault(f"{name}.runningMean", torch.zeros(channels))
        variance = self.state.setdefault(f"{name}.runningVariance", torch.ones(channels))
        flat = x.reshape(-1, channels)
        if self.training:
            # PyTorch's own running variance is that of n - 1.
            self.state[f"{name}.runningMean"] = MOMENTUM * mean + (1 - MOMENTUM) * flat.detach().mean(0)
            biased = flat.detach().var(0, unbiased=False)
            self.state[f"{name}.runningVariance"] = MOMENTUM * variance + (1 - MOMENTUM) * biased
        y = functional.batch_norm(flat, mean.clone(), variance.clone(), gamma, beta, self.training, eps=1e-5)
        return y.reshape(x.shape)


def pool(x, mode, window, stride, padding=0):
    f = {"max": functional.max_pool2d, "avg": functional.avg_pool2d}[mode]
    return f(x.permute(0, 3, 1, 2), window, stride, padding).permute(0, 2, 3, 1)


def grow(x):
    return functional.interpolate(x.permute(0, 3, 1, 2), scale_factor=2).permute(0, 2, 3, 1)


# The networks of graphs.test.ts, under the same names: each takes inputs by name and gives outputs by name.


def residual(net, x):
    y = torch.relu(net.norm(net.conv(x["x"], "stem", 4), "stemNorm"))
    for block in ("first", "second"):
        inner = torch.relu(net.norm(net.conv(y, f"{block}A", 4), f"{block}NormA"))
        y = torch.relu(y + net.norm(net.conv(inner, f"{block}B", 4), f"{block}NormB"))
    return {"y": net.dense(y.mean((1, 2)), "head", 3)}


def siamese(net, x):
    tower = lambda side: net.dense(torch.tanh(net.dense(side, "hidden", 6)), "code", 3)
    return {"y": ((tower(x["a"]) - tower(x["b"])) ** 2).sum(1, keepdim=True)}


def two(net, x):
    seen = torch.relu(net.conv(x["image"], "conv", 3)).reshape(len(x["image"]), -1)
    joined = torch.cat([net.dense(seen, "seen", 5), torch.tanh(net.dense(x["meta"], "notes", 4))], 1)
    trunk = functional.softplus(net.dense(joined, "trunk", 6))
    return {"digit": net.dense(trunk, "digit", 4), "size": net.dense(joined, "size", 2)}


def inception(net, x):
    y = torch.relu(net.conv(x["x"], "stem", 4))
    one = torch.relu(net.conv(y, "one", 3, 1))
    three = torch.relu(net.conv(torch.relu(net.conv(y, "narrow", 2, 1)), "three", 4))
    pooled = torch.relu(net.conv(pool(y, "max", 3, 1, 1), "pooled", 2, 1))
    y = pool(torch.cat([one, three, pooled], 3), "avg", 2, 2)
    return {"y": net.dense(y.reshape(len(y), -1), "head", 3)}


def unet(net, x):
    top = torch.relu(net.conv(x["x"], "top", 3))
    middle = torch.relu(net.conv(pool(top, "max", 2, 2), "middle", 4))
    bottom = torch.relu(net.conv(pool(middle, "max", 2, 2), "bottom", 5))
    middle = torch.relu(net.conv(torch.cat([grow(bottom), middle], 3), "upMiddle", 4))
    top = torch.relu(net.conv(torch.cat([grow(middle), top], 3), "upTop", 3))
    return {"y": net.conv(top, "mask", 1, 1)}


def contrastive(y, same):
    """Of squared distances: the distance for equal pairs, what the distance lacks of 1.5 for others."""
    gap = torch.relu(1.5 - torch.sqrt(y + 1e-3))
    return (same * y + (1 - same) * gap**2).mean()


mse, ce, bce = functional.mse_loss, functional.cross_entropy, functional.binary_cross_entropy_with_logits
labels = lambda classes: torch.randint(0, classes, (ROWS,))
bits = lambda *shape: torch.randint(0, 2, (ROWS, *shape)).float()
sgd = lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)
adam = lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-3)

# Inputs by name, the outputs' targets, the loss of the outputs, the optimizer.
NETS = {
    "residual": (residual, {"x": (6, 5, 2)}, lambda: {"y": labels(3)}, lambda y, t: ce(y["y"], t["y"]), sgd),
    "siamese": (siamese, {"a": (5,), "b": (5,)}, lambda: {"y": bits(1)}, lambda y, t: contrastive(y["y"], t["y"]), adam),
    "two": (
        two,
        {"image": (4, 4, 2), "meta": (3,)},
        lambda: {"digit": labels(4), "size": torch.randn(ROWS, 2)},
        lambda y, t: 0.7 * ce(y["digit"], t["digit"]) + 2 * mse(y["size"], t["size"]),
        adam,
    ),
    "inception": (inception, {"x": (6, 4, 3)}, lambda: {"y": labels(3)}, lambda y, t: ce(y["y"], t["y"]), sgd),
    "unet": (unet, {"x": (8, 4, 2)}, lambda: {"y": bits(8, 4, 1)}, lambda y, t: bce(y["y"], t["y"]), adam),
}


def make_nets(folder):
    data = {}
    for name, (forward, inputs, targets, loss, make) in NETS.items():
        torch.manual_seed(5)
        net = Net()
        x = {key: torch.randn(ROWS, *shape).requires_grad_() for key, shape in inputs.items()}
        t = targets()
        forward(net, x)
        start = {key: value.detach().clone() for key, value in net.parameters.items()}
        net.state = {}
        net.training = False
        values = {f"start {key}": value for key, value in start.items()}
        values |= {f"output {key}": value for key, value in forward(net, x).items()}
        net.training = True
        value = loss(forward(net, x), t)
        value.backward()
        values["loss"] = value
        values |= {f"d {key}": p.grad.clone() for key, p in net.parameters.items()}
        values |= {f"x {key}": value for key, value in x.items()} | {f"dx {key}": value.grad.clone() for key, value in x.items()}
        values |= {f"target {key}": value for key, value in t.items()}
        net.state = {}
        optimizer, losses = make(net.parameters.values()), []
        for _ in range(STEPS):
            value = loss(forward(net, x), t)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.detach())
        net.training = False
        values["losses"] = torch.stack(losses)
        values |= {f"after {key}": value for key, value in [*net.parameters.items(), *net.state.items()]}
        values |= {f"trained {key}": value for key, value in forward(net, x).items()}
        data |= {f"{name}: {key}": value.contiguous() for key, value in values.items()}
    write_safetensors(folder / "graphs.safetensors", data)


def focal_softmax(gamma):
    def loss(x, t):
        log_p = torch.log_softmax(x, 1).gather(1, t[:, None]).squeeze(1)
        return -((1 - log_p.exp()) ** gamma) * log_p

    return loss


def focal_sigmoid(gamma, alpha):
    """The formula of Lin et al. 2017 with p_t, alpha_t as they define them."""

    def loss(x, t):
        p = torch.sigmoid(x)
        pt = t * p + (1 - t) * (1 - p)
        weight = 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)
        return (-weight * (1 - pt) ** gamma * torch.log(pt)).mean(1)

    return loss


def pinball(q):
    return lambda x, t: torch.maximum(q * (t - x), (q - 1) * (t - x)).mean(1)


def of_rows(loss, **options):
    return lambda x, t: loss(x, t, reduction="none", **options).mean(1)


def smooth(t, s):
    return (1 - s) * t + s / 2


# Each is a function from outputs and targets to one value a row; which targets it takes.
LOSSES = {
    "logCosh": (lambda x, t: torch.log(torch.cosh((x - t).double())).float().mean(1), "values"),
    "hinge": (lambda x, t: (1 - x * t).clamp(min=0).mean(1), "signs"),
    "squaredHinge": (lambda x, t: ((1 - x * t).clamp(min=0) ** 2).mean(1), "signs"),
    "poisson": (of_rows(functional.poisson_nll_loss, log_input=True), "counts"),
    "klDivergence": (lambda x, t: functional.kl_div(torch.log_softmax(x, 1), t, reduction="none").sum(1), "probabilities"),
    "klDivergence of labels": (lambda x, t: functional.cross_entropy(x, t, reduction="none"), "labels"),
    "cosineSimilarity": (lambda x, t: 1 - functional.cosine_similarity(x, t), "values"),
    "quantile": (pinball(0.5), "values"),
    "quantile 0.9": (pinball(0.9), "values"),
    "focalLoss": (focal_softmax(2), "labels"),
    "focalLoss, gamma 0": (focal_softmax(0), "labels"),
    "focalLoss, gamma 1.5": (focal_softmax(1.5), "labels"),
    "focalLoss of a sigmoid": (focal_sigmoid(2, None), "bits"),
    "focalLoss of a sigmoid, alpha": (focal_sigmoid(1, 0.25), "bits"),
    "binaryCrossEntropy, positiveWeight": (of_rows(bce, pos_weight=torch.tensor(3.5)), "bits"),
    "binaryCrossEntropy, labelSmoothing": (lambda x, t: of_rows(bce)(x, smooth(t, 0.2)), "bits"),
    "binaryCrossEntropy, both": (lambda x, t: of_rows(bce, pos_weight=torch.tensor(0.3))(x, smooth(t, 0.1)), "bits"),
    "softmaxCrossEntropy": (lambda x, t: ce(x, t, reduction="none"), "labels"),
    "binaryCrossEntropy": (of_rows(bce), "bits"),
    "meanSquaredError": (of_rows(mse), "values"),
    "huber": (of_rows(functional.huber_loss, delta=0.7), "values"),
}


def make_losses(folder):
    torch.manual_seed(6)
    rows, outputs = 7, 4
    probabilities = torch.softmax(2 * torch.randn(rows, outputs), 1)
    probabilities[2] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    targets = {
        "labels": torch.randint(0, outputs, (rows,)),
        "probabilities": probabilities,
        "values": 2 * torch.randn(rows, outputs),
        "signs": 2 * torch.randint(0, 2, (rows, outputs)).float() - 1,
        "bits": torch.randint(0, 2, (rows, outputs)).float(),
        "counts": torch.poisson(2 * torch.ones(rows, outputs)),
    }
    # One row does not count.
    weights = torch.tensor([1.0, 0.25, 3.0, 0.0, 1.0, 2.0, 0.5])
    data = {"x": 2 * torch.randn(rows, outputs), "weights": weights, **targets}
    for name, (loss, kind) in LOSSES.items():
        for weighted, w in (("", torch.ones(rows)), (", weighted", weights)):
            x = data["x"].clone().requires_grad_()
            value = (w * loss(x, targets[kind])).sum() / w.sum()
            value.backward()
            data |= {f"{name}{weighted}: value": value, f"{name}{weighted}: gradient": x.grad}
    write_safetensors(folder / "graph-losses.safetensors", data)


if __name__ == "__main__":
    make_nets(Path(sys.argv[1]))
    make_losses(Path(sys.argv[1]))
