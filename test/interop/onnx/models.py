"""ONNX files as PyTorch writes them, and what PyTorch's networks give.

python3 models.py FOLDER    writes NAME.onnx and NAME.safetensors (inputs and outputs) for each network

Written with PyTorch 1.13 (Debian's python3-torch and python3-onnx).
"""

import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "torch"))
from sequentials import write_safetensors  # noqa: E402

ROWS = 4


class Indices:
    """An input of integers from 0."""

    def __init__(self, below, shape):
        self.below = below
        self.shape = shape


class Module(nn.Module):
    """A network as a function of its layers and its inputs."""

    def __init__(self, run, **layers):
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            if isinstance(layer, torch.Tensor):
                self.register_buffer(name, layer)
            else:
                setattr(self, name, layer)

    def forward(self, *inputs):
        return self.run(self, *inputs)


def block(channels):
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )


def unet(self, x):
    down = functional.relu(self.down(x))
    inner = functional.relu(self.inner(functional.max_pool2d(down, 2)))
    return self.last(torch.cat([down, self.up(inner), functional.interpolate(inner, scale_factor=2)], 1))


def squeeze_excite(self, x):
    y = self.conv(x)
    weights = torch.sigmoid(self.second(functional.silu(self.first(y.mean((2, 3), keepdim=True)))))
    return (y * weights).mean((2, 3))


def siamese(self, left, right):
    return (self.tower(left) - self.tower(right)).pow(2).sum(1, keepdim=True)


def shuffle(x, groups):
    batch, channels, height, width = x.size()
    return x.view(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(batch, -1, height, width)


def shapes(self, x):
    """What computes with sizes: paddings, parts of channels, another order of them, sizes of images."""
    y = shuffle(self.first(functional.pad(x, (1, 2, 0, 1), value=0.5)), 2)
    left, right = y.chunk(2, 1)
    y = left * torch.sigmoid(right)
    y = torch.cat([y, left.mean((2, 3), keepdim=True).expand_as(left) - left], 1)
    y = self.second(self.zeros(y))
    return functional.interpolate(torch.softmax(y, 1), size=(y.shape[2] * 2, y.shape[3] * 3))


def pixels(self, x):
    y = functional.pixel_shuffle(self.first(x), 2)
    first, second = torch.split(y, [1, 2], 1)
    rows = functional.normalize(torch.flatten(second, 1))
    return rows, first.amin((2, 3)) + second[:, 1, :, -1].abs().sum(1, keepdim=True), functional.celu(y, 0.7)


def attention(self, x):
    """Attention of two heads, of rows with a class's own first."""
    batch, steps, _ = x.size()
    queries, keys, values = [
        part.view(batch, steps, 2, 3).transpose(1, 2) for part in self.all(x).split(6, dim=2)
    ]
    weights = torch.softmax(queries @ keys.transpose(2, 3) / 3**0.5, dim=-1)
    y = (weights @ values).transpose(1, 2).reshape(batch, steps, 6)
    return self.head((x + self.out(y))[:, 0])


# The networks: module, shapes of the inputs' samples, further arguments of the export.
MODELS = {
    "mlp": (
        nn.Sequential(
            nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 7, bias=False), nn.Tanh(), nn.Linear(7, 6), nn.GELU(),
            nn.Linear(6, 4), nn.Softmax(dim=1),
        ),
        [(5,)],
    ),
    "convnet": (
        nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1), nn.PReLU(6), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6 * 4 * 2, 5),
            nn.Sigmoid(),
        ),
        [(2, 9, 8)],
    ),
    # Batch norm is kept apart from the convolution before it.
    "training": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, eps=1e-3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
            nn.Linear(4 * 4 * 3, 5), nn.BatchNorm1d(5), nn.PReLU(), nn.Linear(5, 3),
        ),
        [(2, 6, 5)],
        {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE},
    ),
    "view": (
        Module(
            lambda self, x: self.second(functional.relu(self.first(self.conv(x).view(x.size(0), -1)))),
            conv=nn.Conv2d(1, 3, 3), first=nn.Linear(3 * 4 * 3, 5), second=nn.Linear(5, 2),
        ),
        [(1, 6, 5)],
    ),
    "residual": (
        Module(
            lambda self, x: self.head(torch.flatten(self.pool(
                functional.relu(self.stem(x) + self.block(self.stem(x)))), 1)),
            stem=nn.Conv2d(3, 4, 3, padding=1), block=block(4), pool=nn.AdaptiveAvgPool2d(1), head=nn.Linear(4, 3),
        ),
        [(3, 6, 6)],
    ),
    "grouped": (
        nn.Sequential(
            nn.Conv2d(4, 6, (3, 2), groups=2, dilation=(2, 1), padding=(2, 1)), nn.ELU(0.7),
            nn.Conv2d(6, 18, 3, groups=6, stride=(2, 1), padding=1), nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(18, 4, (3, 4), stride=(2, 3), padding=(0, 1), output_padding=(1, 2)), nn.Hardswish(),
            nn.AvgPool2d(3, stride=2, padding=1), nn.Softplus(), nn.AvgPool2d(2, padding=1, count_include_pad=False),
            nn.Hardsigmoid(), nn.ReLU6(),
        ),
        [(4, 9, 10)],
    ),
    "norms": (
        nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.GroupNorm(3, 6), nn.Mish(), nn.InstanceNorm2d(6, affine=True), nn.SiLU(),
            nn.Flatten(), nn.LayerNorm(6 * 4 * 3), nn.SELU(),
            nn.Linear(6 * 4 * 3, 4), nn.LogSoftmax(dim=1),
        ),
        [(2, 6, 5)],
    ),
    "unet": (
        Module(
            unet, down=nn.Conv2d(2, 3, 3, padding=1), inner=nn.Conv2d(3, 4, 3, padding=1),
            up=nn.ConvTranspose2d(4, 3, 2, stride=2), last=nn.Conv2d(10, 2, 1),
        ),
        [(2, 6, 8)],
    ),
    "excite": (
        Module(squeeze_excite, conv=nn.Conv2d(3, 6, 3), first=nn.Conv2d(6, 2, 1), second=nn.Conv2d(2, 6, 1)),
        [(3, 5, 6)],
    ),
    "shapes": (
        Module(
            shapes, first=nn.Conv2d(3, 8, 3), second=nn.Conv2d(8, 4, 3), zeros=nn.ZeroPad2d((1, 0, 2, 1)),
        ),
        [(3, 5, 6)],
    ),
    "pixels": (Module(pixels, first=nn.Conv2d(2, 12, 3, padding=1)), [(2, 3, 4)]),
    "attention": (
        Module(attention, all=nn.Linear(6, 18), out=nn.Linear(6, 6), head=nn.Linear(6, 3)), [(5, 6)],
    ),
    "siamese": (
        Module(siamese, tower=nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))),
        [(6,), (6,)],
    ),
    "normalised": (
        Module(
            lambda self, x: self.conv((x - self.mean) / self.std), conv=nn.Conv2d(3, 2, 3),
            mean=torch.tensor([0.4, 0.5, 0.6]).reshape(1, 3, 1, 1),
            std=torch.tensor([0.2, 0.3, 0.25]).reshape(1, 3, 1, 1),
        ),
        [(3, 5, 4)],
    ),
    # Indices: a table that two inputs share, and one for a single index.
    "embedded": (
        Module(
            lambda self, x, y, z: self.head(torch.cat(
                [torch.flatten(self.words(x) * self.words(y), 1), self.cities(z)], 1)),
            words=nn.Embedding(9, 3), cities=nn.Embedding(5, 2), head=nn.Linear(4 * 3 + 2, 3),
        ),
        [Indices(9, (4,)), Indices(9, (4,)), Indices(5, ())],
    ),
    "heads": (
        Module(
            lambda self, x, meta: (
                torch.softmax(self.first(torch.cat([x, meta], 1)), 1), torch.sigmoid(self.second(x)), torch.exp(-x)),
            first=nn.Linear(7, 4), second=nn.Linear(5, 1),
        ),
        [(5,), (2,)],
    ),
}


def scramble(module):
    """Statistics and scales that show where they go."""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name.endswith("running_var"):
            tensor.data.copy_(torch.rand_like(tensor) + 0.5)
        elif tensor.dtype == torch.float32 and name not in ("mean", "std"):
            tensor.data.add_(0.2 * torch.randn_like(tensor))


def write(folder, name, module, shapes, more=None):
    torch.manual_seed(7)
    module.eval()
    scramble(module)
    inputs = [
        torch.randint(shape.below, (ROWS, *shape.shape)) if isinstance(shape, Indices) else torch.randn(ROWS, *shape)
        for shape in shapes
    ]
    names = [f"x{i}" for i in range(len(inputs))]
    with torch.no_grad():
        outputs = module(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    results = [f"y{i}" for i in range(len(outputs))]
    torch.onnx.export(
        module, tuple(inputs), folder / f"{name}.onnx", input_names=names, output_names=results,
        dynamic_axes={key: {0: "batch"} for key in [*names, *results]}, opset_version=17, **(more or {}),
    )
    tensors = {key: value.float() for key, value in zip([*names, *results], [*inputs, *outputs])}
    write_safetensors(folder / f"{name}.safetensors", tensors)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for key, (network, samples, *rest) in MODELS.items():
        write(target, key, network, samples, *rest)
