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

    x, labels = torch.randn(ROWS, 2, 4, 6), torch.randint(0, 3, (ROWS,))
    model = training_convnet()
    write_safetensors(folder / "convolution.safetensors", model.state_dict())
    losses = train(model, x, labels, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
    write_safetensors(folder / "convolution.after.safetensors", model.state_dict())
    write_safetensors(folder / "convolution.data.safetensors", {"x": x, "labels": labels, "losses": losses})


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
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            continue
        channels = getattr(module, "out_channels", getattr(module, "out_features", channels))
        modules.append(nn.PReLU(channels) if isinstance(module, nn.PReLU) else module)
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
