"""PyTorch's side of the tests in this folder.

python3 sequentials.py make FOLDER    writes the fixtures: states of Sequentials, what they compute, how they train
python3 sequentials.py check FOLDER   loads the states that blasnet has exported there, and compares what they compute
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

DTYPES = {"F32": np.float32, "I64": np.int64}


def write_safetensors(path, tensors):
    header = {"__metadata__": {"format": "pt", "torch": torch.__version__}}
    parts, at = [], 0
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor.detach().numpy()).reshape(tuple(tensor.shape))
        dtype = {np.dtype(kind): dtype for dtype, kind in DTYPES.items()}[array.dtype]
        data = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        array = np.frombuffer(data[8 + length + begin : 8 + length + end], DTYPES[info["dtype"]])
        tensors[name] = torch.from_numpy(array.reshape(info["shape"]).copy())
    return tensors


class Separable(nn.Sequential):
    """A depthwise convolution and a pointwise one, which are one layer in blasnet."""

    def __init__(self, channels, filters, multiplier, **options):
        between = channels * multiplier
        super().__init__(nn.Conv2d(channels, between, groups=channels, bias=False, **options), nn.Conv2d(between, filters, 1))


class Words(nn.Embedding):
    """Takes indices as floats, in which all samples are written."""

    def forward(self, x):
        return super().forward(x.long())


# The networks of models.ts, under the same names: a sample's shape and the modules.
MODELS = {
    "mlp": (
        (5,),
        lambda: nn.Sequential(
            nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6, bias=False), nn.GELU(), nn.Linear(6, 6), nn.Softmax(dim=1), nn.Linear(6, 3)
        ),
    ),
    "norm": (
        (6,),
        lambda: nn.Sequential(
            nn.Linear(6, 8, bias=False),
            nn.BatchNorm1d(8, eps=1e-3),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(8, 5),
            nn.PReLU(),
            nn.BatchNorm1d(5, momentum=0.2),
            nn.Sigmoid(),
            nn.Linear(5, 3),
        ),
    ),
    "convnet": (
        (2, 9, 8),
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 5, 3, padding="same"),
            nn.PReLU(5),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.BatchNorm1d(40),
            nn.Linear(40, 6),
            nn.ELU(0.7),
            nn.Linear(6, 3),
        ),
    ),
    "nested": (
        (3, 6, 7),
        lambda: nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 4, 3, padding=(2, 1)), nn.SELU(), nn.LocalResponseNorm(3, alpha=0.3), nn.AvgPool2d((2, 3))),
            nn.Sequential(nn.Flatten(), nn.Linear(32, 5), nn.Softplus(), nn.Linear(5, 2)),
        ),
    ),
    "grouped": (
        (4, 9, 10),
        lambda: nn.Sequential(
            nn.Conv2d(4, 6, (3, 2), groups=2, dilation=(2, 1), padding=(2, 1)),
            nn.Tanh(),
            nn.Conv2d(6, 18, 3, groups=6, stride=(2, 1), padding=1),
            nn.ReLU(),
            nn.Conv2d(18, 5, 2, dilation=(1, 3), bias=False),
            nn.BatchNorm2d(5),
            nn.ConvTranspose2d(5, 4, (3, 4), stride=(2, 3), padding=(0, 1), output_padding=(1, 2)),
            nn.Tanh(),
            Separable(4, 6, 2, kernel_size=3, stride=2, padding=1, dilation=(1, 2)),
            nn.ReLU(),
            nn.Conv2d(6, 6, 1, groups=6),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 3),
        ),
    ),
    "pooled": (
        (1, 8, 5),
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3),
            nn.SiLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(6, 4, 2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        ),
    ),
    "norms": (
        (2, 6, 5),
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.GroupNorm(3, 6),
            nn.Hardswish(),
            nn.Dropout2d(0.2),
            nn.InstanceNorm2d(6),
            nn.Conv2d(6, 4, 2),
            nn.InstanceNorm2d(4, eps=1e-3, affine=True),
            nn.ReLU6(),
            nn.Flatten(),
            nn.LayerNorm(80),
            nn.Linear(80, 5),
            nn.Mish(),
            nn.LayerNorm(5, elementwise_affine=False),
            nn.Linear(5, 4),
            nn.Hardsigmoid(),
            nn.Softsign(),
            nn.Linear(4, 3),
            nn.LogSoftmax(dim=1),
        ),
    ),
    "maxima": (
        (1, 8, 5),
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.GroupNorm(1, 4, eps=1e-2), nn.Mish(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        ),
    ),
    "words": ((3,), lambda: nn.Sequential(Words(7, 4), nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 3))),
}

STEPS, ROWS, BATCH = 12, 24, 8


def batches():
    return ((step * BATCH) % ROWS for step in range(STEPS))


def train(model, x, labels, optimizer, before_step=None, scheduler=None):
    """Passes over the rows in their order; returns the losses."""
    losses = []
    for begin in batches():
        loss = nn.functional.cross_entropy(model(x[begin : begin + BATCH]), labels[begin : begin + BATCH])
        optimizer.zero_grad()
        loss.backward()
        if before_step:
            before_step(model.parameters())
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def make_states(folder):
    """A state of each model, trained for a while so that its statistics are its own, and what it computes."""
    for name, (shape, make) in MODELS.items():
        torch.manual_seed(1)
        model = make()
        x, labels = 2 * torch.randn(ROWS, *shape) + 0.5, torch.randint(0, 2, (ROWS,))
        if isinstance(model[0], Words):
            x = torch.randint(model[0].num_embeddings, x.shape).float()
        train(model, x, labels, torch.optim.SGD(model.parameters(), lr=0.1))
        model.eval()
        write_safetensors(folder / f"{name}.safetensors", model.state_dict())
        write_safetensors(folder / f"{name}.data.safetensors", {"x": x[:3], "output": model(x[:3])})


def training_model():
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


def training_convnet():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(18, 6),
        nn.BatchNorm1d(6),
        nn.Sigmoid(),
        nn.Linear(6, 3),
    )


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of "Symbolic Discovery of Optimization Algorithms" (Chen et al. 2023), line by line."""

    def __init__(self, params, lr, beta1=0.9, beta2=0.99, decay=0.0):
        super().__init__(params, {"lr": lr, "beta1": beta1, "beta2": beta2, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["beta1"], group["beta2"]
            for theta in group["params"]:
                g, m = theta.grad, self.state[theta].setdefault("m", torch.zeros_like(theta))
                c = beta1 * m + (1 - beta1) * g
                theta -= group["lr"] * (torch.sign(c) + group["decay"] * theta)
                m.copy_(beta2 * m + (1 - beta2) * g)


def newton_schulz(m):
    """The odd polynomial 3.4445 s - 4.775 s^3 + 2.0315 s^5, five times, of the singular values s of m / |m|."""
    u, s, vh = torch.linalg.svd(m.double() / (m.double().norm() + 1e-7), full_matrices=False)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    return (u @ torch.diag(s) @ vh).to(m.dtype)


class Muon(torch.optim.Optimizer):
    """From "Muon: an optimizer for hidden layers" (Jordan 2024); AdamW for the rest. By singular values, in double."""

    def __init__(self, params, lr, momentum=0.95, nesterov=True, decay=0.0, adamw={}):
        params = list(params)
        super().__init__([p for p in params if p.ndim > 1], {"lr": lr, "momentum": momentum, "nesterov": nesterov, "decay": decay})
        self.others = torch.optim.AdamW([p for p in params if p.ndim < 2], **adamw)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                g, v = w.grad, self.state[w].setdefault("velocity", torch.zeros_like(w))
                v.copy_(group["momentum"] * v + g)
                update = g + group["momentum"] * v if group["nesterov"] else v
                matrix = update.reshape(len(update), -1)
                scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                w *= 1 - group["lr"] * group["decay"]
                w -= group["lr"] * scale * newton_schulz(matrix).reshape(w.shape)
        self.others.step()

    def zero_grad(self):
        super().zero_grad()
        self.others.zero_grad()


# By the names that training.test.ts uses: the optimizer, what is done to the gradients before a step, the schedule.
OPTIMIZERS = {
    "sgd": lambda p: (torch.optim.SGD(p, lr=0.2), None, None),
    "momentum": lambda p: (torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01), None, None),
    "nesterov": lambda p: (torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), None, None),
    "adam": lambda p: (torch.optim.Adam(p, lr=0.02, weight_decay=0.01), None, None),
    "amsgrad": lambda p: (torch.optim.Adam(p, lr=0.05, betas=(0.5, 0.6), amsgrad=True), None, None),
    "adamw": lambda p: (torch.optim.AdamW(p, lr=0.02, weight_decay=0.1), None, None),
    "rmsprop": lambda p: (torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-6), None, None),
    "rmsprop-momentum": lambda p: (torch.optim.RMSprop(p, lr=0.005, alpha=0.95, momentum=0.7, weight_decay=0.01), None, None),
    "adagrad": lambda p: (torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.1, eps=1e-6), None, None),
    "adadelta": lambda p: (torch.optim.Adadelta(p, lr=1.0, rho=0.9, eps=1e-3, weight_decay=0.01), None, None),
    "adamax": lambda p: (torch.optim.Adamax(p, lr=0.02, betas=(0.8, 0.99), weight_decay=0.01), None, None),
    # Without foreach PyTorch 1.13 has one momentum too many in the product of the next step, against its documentation.
    "nadam": lambda p: (
        torch.optim.NAdam(p, lr=0.02, betas=(0.9, 0.99), weight_decay=0.01, momentum_decay=0.02, foreach=True),
        None,
        None,
    ),
    "lion": lambda p: (Lion(p, lr=0.01, decay=0.1), None, None),
    "muon": lambda p: (Muon(p, 0.05, decay=0.1, adamw={"lr": 0.02, "betas": (0.9, 0.95), "weight_decay": 0.0}), None, None),
    "clip-value": lambda p: (torch.optim.SGD(p, lr=0.2), lambda ps: nn.utils.clip_grad_value_(ps, 0.05), None),
    "clip-norm": lambda p: (torch.optim.SGD(p, lr=0.2, momentum=0.5), lambda ps: nn.utils.clip_grad_norm_(ps, 0.1), None),
    "one-cycle": lambda p: with_schedule(
        torch.optim.SGD(p, lr=0.1), torch.optim.lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=STEPS + 1, cycle_momentum=False
    ),
    "cosine": lambda p: with_schedule(torch.optim.SGD(p, lr=0.3), torch.optim.lr_scheduler.CosineAnnealingLR, T_max=STEPS, eta_min=0.01),
}


def with_schedule(optimizer, schedule, **options):
    return optimizer, None, schedule(optimizer, **options)


def make_trainings(folder):
    """The same start and batches under each optimizer: losses, and the weights in the end."""
    torch.manual_seed(2)
    x, labels = torch.randn(ROWS, 5), torch.randint(0, 3, (ROWS,))
    start = training_model().state_dict()
    write_safetensors(folder / "training.safetensors", start)
    data = {"x": x, "labels": labels}
    for name, make in OPTIMIZERS.items():
        model = training_model()
        model.load_state_dict(start)
        data[name] = train(model, x, labels, *make(model.parameters()))
        write_safetensors(folder / f"training.{name}.safetensors", model.state_dict())
    write_safetensors(folder / "training.data.safetensors", data)

    make_convolution(folder, "convolution", lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9))
    # Filters with more inputs than outputs; epsilon, because the gradient of a bias before batch norm is all rounding.
    make_convolution(folder, "muon-convolution", lambda p: Muon(p, 0.02, momentum=0.9, nesterov=False, adamw={"lr": 0.003, "eps": 0.01}))


def make_convolution(folder, name, optimizer):
    torch.manual_seed(4)
    x, labels = torch.randn(ROWS, 2, 4, 6), torch.randint(0, 3, (ROWS,))
    model = training_convnet()
    write_safetensors(folder / f"{name}.safetensors", model.state_dict())
    losses = train(model, x, labels, optimizer(model.parameters()))
    write_safetensors(folder / f"{name}.after.safetensors", model.state_dict())
    write_safetensors(folder / f"{name}.data.safetensors", {"x": x, "labels": labels, "losses": losses})


# By the names that convolutions.test.ts uses: the shape of a sample, the layer.
CONVOLUTIONS = {
    "grouped": ((6, 7, 6), lambda: nn.Conv2d(6, 4, 3, groups=2, padding=1)),
    "dilated": ((3, 9, 8), lambda: nn.Conv2d(3, 4, (3, 2), dilation=(2, 3), stride=(1, 2), padding=(2, 1))),
    "grouped and dilated": ((4, 8, 8), lambda: nn.Conv2d(4, 8, 3, groups=4, dilation=2, padding=2, bias=False)),
    "depthwise": ((17, 7, 7), lambda: nn.Conv2d(17, 17, 3, groups=17, padding=1)),
    "depthwise, wide": ((32, 8, 5), lambda: nn.Conv2d(32, 32, (5, 3), groups=32, padding=(2, 1))),
    "depthwise, strided": ((5, 8, 9), lambda: nn.Conv2d(5, 15, 3, groups=5, stride=2, padding=1)),
    "depthwise, dilated": ((16, 8, 9), lambda: nn.Conv2d(16, 16, 3, groups=16, dilation=(3, 2), padding=(3, 1))),
    "depthwise, window larger than the image": ((4, 2, 3), lambda: nn.Conv2d(4, 4, 5, groups=4, padding=2)),
    "depthwise, stride larger than the window": ((4, 9, 9), lambda: nn.Conv2d(4, 4, 2, groups=4, stride=4)),
    "separable": ((5, 7, 6), lambda: Separable(5, 4, 2, kernel_size=3, padding=1)),
    "transposed": ((3, 4, 5), lambda: nn.ConvTranspose2d(3, 4, 3)),
    "transposed, strided": ((3, 4, 5), lambda: nn.ConvTranspose2d(3, 4, (3, 4), stride=(2, 3), padding=1, output_padding=(1, 2))),
    "transposed, stride larger than the window": ((2, 3, 3), lambda: nn.ConvTranspose2d(2, 3, 2, stride=3, bias=False)),
    "transposed, many channels": ((20, 5, 6), lambda: nn.ConvTranspose2d(20, 18, 3, padding=1)),
}


def make_convolutions(folder):
    """For each layer: its state, what it computes, the gradients of the mean squared error, and five steps."""
    data = {}
    for name, (shape, make) in CONVOLUTIONS.items():
        torch.manual_seed(4)
        layer = nn.Sequential(make())
        start = {f"start.{key}": value.clone() for key, value in layer.state_dict().items()}
        x = torch.randn(2, *shape, requires_grad=True)
        output = layer(x)
        target = torch.randn_like(output)
        nn.functional.mse_loss(output, target).backward()
        gradients = {f"gradient.{key}": value.grad.clone() for key, value in layer.named_parameters()}
        optimizer, losses = torch.optim.SGD(layer.parameters(), lr=0.5, momentum=0.5), []
        for _ in range(5):
            loss = nn.functional.mse_loss(layer(x.detach()), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        after = {f"after.{key}": value for key, value in layer.state_dict().items()}
        values = {"x": x, "target": target, "output": output, "dx": x.grad, "losses": torch.stack(losses)}
        data.update({f"{name}: {key}": value for key, value in {**start, **gradients, **after, **values}.items()})
    write_safetensors(folder / "convolutions.safetensors", data)


# By the names that layers.test.ts uses: a layer, and the shape of a sample.
LAYERS = {
    "relu6": (nn.ReLU6, (9,)),
    "hardSigmoid": (nn.Hardsigmoid, (9,)),
    "hardSwish": (nn.Hardswish, (9,)),
    "mish": (nn.Mish, (9,)),
    "softsign": (nn.Softsign, (9,)),
    "logSoftmax": (lambda: nn.LogSoftmax(dim=-1), (9,)),
    "logSoftmax of positions": (lambda: nn.LogSoftmax(dim=-1), (4, 5)),
    "layerNorm": (lambda: nn.LayerNorm(9), (9,)),
    "layerNorm of positions": (lambda: nn.LayerNorm(7, eps=1e-3), (4, 7)),
    "layerNorm without gamma and beta": (lambda: nn.LayerNorm(7, elementwise_affine=False), (4, 7)),
    "groupNorm": (lambda: nn.GroupNorm(3, 6), (6, 4, 5)),
    "groupNorm of one group": (lambda: nn.GroupNorm(1, 6, eps=1e-3), (6, 3, 2)),
    "groupNorm of flat samples": (lambda: nn.GroupNorm(2, 6), (6,)),
    "groupNorm without gamma and beta": (lambda: nn.GroupNorm(2, 6, affine=False), (6, 3, 2)),
    "instanceNorm": (lambda: nn.InstanceNorm2d(5, affine=True), (5, 4, 3)),
    "instanceNorm without gamma and beta": (lambda: nn.InstanceNorm2d(5), (5, 4, 3)),
    "globalMaxPool2d": (lambda: nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), (5, 4, 3)),
}


def make_layers(folder):
    """What layers compute, and the gradients of the mean squared error."""
    torch.manual_seed(4)
    data = {}
    for name, (make, shape) in LAYERS.items():
        layer = make()
        for parameter in layer.parameters():
            parameter.data = torch.randn(parameter.shape)
        x = (2.5 * torch.randn(6, *shape) + 0.5).requires_grad_()
        y = layer(x)
        target = torch.randn(y.shape)
        nn.functional.mse_loss(y, target).backward()
        data |= {f"{name}: x": x, f"{name}: y": y, f"{name}: target": target, f"{name}: dx": x.grad}
        for own, parameter in layer.named_parameters():
            data |= {f"{name}: {own}": parameter, f"{name}: d{own}": parameter.grad}
    write_safetensors(folder / "layers.safetensors", data)


# By the names that losses.test.ts uses: the loss, and which targets it takes.
LOSSES = {
    "softmaxCrossEntropy": (nn.CrossEntropyLoss(), "labels"),
    "softmaxCrossEntropy smoothed": (nn.CrossEntropyLoss(label_smoothing=0.2), "labels"),
    "softmaxCrossEntropy of probabilities": (nn.CrossEntropyLoss(), "probabilities"),
    "binaryCrossEntropy": (nn.BCEWithLogitsLoss(), "probabilities"),
    "meanSquaredError": (nn.MSELoss(), "values"),
    "meanAbsoluteError": (nn.L1Loss(), "values"),
    "huber": (nn.HuberLoss(delta=0.7), "values"),
}


def make_losses(folder):
    torch.manual_seed(3)
    targets = {
        "labels": torch.randint(0, 4, (6,)),
        "probabilities": torch.softmax(2 * torch.randn(6, 4), 1),
        "values": torch.randn(6, 4),
    }
    data = {"x": 3 * torch.randn(6, 4), **targets}
    for name, (loss, kind) in LOSSES.items():
        x = data["x"].clone().requires_grad_()
        value = loss(x, targets[kind])
        value.backward()
        data[f"{name}: value"], data[f"{name}: gradient"] = value, x.grad
    write_safetensors(folder / "losses.safetensors", data)


def as_exported(model):
    """The Sequential that an exported state is of: no others inside, a PReLU with a slope for each channel."""
    modules, channels = [], None

    def add(sequential):
        nonlocal channels
        for module in sequential:
            if isinstance(module, nn.Sequential) and not isinstance(module, Separable):
                add(module)
                continue
            channels = getattr(module, "out_channels", getattr(module, "out_features", channels))
            modules.append(nn.PReLU(channels) if isinstance(module, nn.PReLU) else module)

    add(model)
    return nn.Sequential(*modules)


def check(folder):
    worst = 0.0
    for name, (_, make) in MODELS.items():
        model = as_exported(make())
        model.load_state_dict(read_safetensors(folder / f"{name}.safetensors"), strict=True)
        model.eval()
        data = read_safetensors(folder / f"{name}.data.safetensors")
        difference = (model(data["x"]) - data["output"]).abs().max().item()
        print(f"{name}: outputs of {data['output'].abs().max().item():.3g} at most differ by {difference:.3g}")
        worst = max(worst, difference)
    print(f"PyTorch {torch.__version__}: {worst:.3g} at most")
    return 0 if worst < 1e-5 else 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    command, folder = sys.argv[1], Path(sys.argv[2])
    if command == "check":
        sys.exit(check(folder))
    folder.mkdir(exist_ok=True)
    make_states(folder)
    make_trainings(folder)
    make_losses(folder)
    make_convolutions(folder)
    make_layers(folder)
