"""What PyTorch's operations of one or several inputs give, and their gradients.

python3 operations.py FOLDER    writes operations.safetensors: for each case its inputs, output and gradients
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional

from sequentials import write_safetensors

ROWS = 3


def images(f):
    """An operation on images, channels last, by one on images with channels first."""
    return lambda x: f(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def ties(shape):
    """Small integers, so that many are equal."""
    return torch.randint(-1, 2, shape).float()


def positive(shape):
    return torch.rand(shape) * 2 + 0.3


# The cases of operations.ts, under the same names: shapes of the samples, the operation on batches, and how to draw.
CASES = {
    "add": ([(3, 4), (3, 4)], torch.add, torch.randn),
    "add three, broadcast": ([(3, 4), (4,), (3, 1)], lambda a, b, c: a + b.unsqueeze(1) + c, torch.randn),
    "subtract": ([(3, 4), (3, 4)], torch.sub, torch.randn),
    "subtract, broadcast": ([(4,), (3, 4)], lambda a, b: a.unsqueeze(1) - b, torch.randn),
    "multiply": ([(3, 4), (3, 4)], torch.mul, torch.randn),
    "multiply three": ([(5,), (5,), (5,)], lambda a, b, c: a * b * c, torch.randn),
    "multiply, broadcast": ([(2, 3, 4), (1, 1, 4)], torch.mul, torch.randn),
    "multiply by a number": ([(2, 3), (1,)], lambda a, b: a * b.unsqueeze(1), torch.randn),
    "outer product": ([(3, 1), (1, 5)], torch.mul, torch.randn),
    "divide": ([(3, 4), (3, 4)], torch.div, positive),
    "divide, broadcast": ([(3, 4), (3, 1)], torch.div, positive),
    "maximum": ([(7,), (7,)], torch.maximum, torch.randn),
    "minimum": ([(7,), (7,)], torch.minimum, torch.randn),
    "average": ([(3, 2), (3, 2), (3, 2)], lambda a, b, c: (a + b + c) / 3, torch.randn),
    "concat": ([(2, 3), (2, 1), (2, 5)], lambda *xs: torch.cat(xs, 2), torch.randn),
    "concat, first dimension": ([(2, 3), (1, 3)], lambda *xs: torch.cat(xs, 1), torch.randn),
    "concat, middle dimension": ([(2, 3, 4), (2, 2, 4)], lambda *xs: torch.cat(xs, 2), torch.randn),
    "matmul": ([(3, 4), (4, 5)], torch.matmul, torch.randn),
    "matmul, first transposed": ([(4, 3), (4, 5)], lambda a, b: a.mT @ b, torch.randn),
    "matmul, second transposed": ([(3, 4), (5, 4)], lambda a, b: a @ b.mT, torch.randn),
    "matmul, both transposed": ([(4, 3), (5, 4)], lambda a, b: a.mT @ b.mT, torch.randn),
    "matmul of several": ([(2, 3, 4), (2, 4, 5)], torch.matmul, torch.randn),
    "dot": ([(6,), (6,)], lambda a, b: (a * b).sum(1, keepdim=True), torch.randn),
    "dot of several": ([(2, 6), (2, 6)], lambda a, b: (a * b).sum(2), torch.randn),
    "exp": ([(2, 3)], torch.exp, torch.randn),
    "log": ([(2, 3)], torch.log, positive),
    "sqrt": ([(2, 3)], torch.sqrt, positive),
    "square": ([(2, 3)], torch.square, torch.randn),
    "abs": ([(2, 3)], torch.abs, torch.randn),
    "power": ([(2, 3)], lambda x: x**3, torch.randn),
    "power of a fraction": ([(2, 3)], lambda x: x**-0.7, positive),
    "clip": ([(4, 4)], lambda x: x.clamp(-0.5, 0.8), torch.randn),
    "clip at its limits": ([(9,)], lambda x: x.clamp(-1, 1), ties),
    "scale": ([(2, 3)], lambda x: 2.5 * x - 0.5, torch.randn),
    "sum": ([(2, 3, 4)], lambda x: x.sum((1, 2, 3)).unsqueeze(1), torch.randn),
    "sum, kept": ([(2, 3, 4)], lambda x: x.sum(2, keepdim=True), torch.randn),
    "mean": ([(2, 3, 4)], lambda x: x.mean((1, 3)), torch.randn),
    "mean of the last": ([(2, 3, 4)], lambda x: x.mean(-1), torch.randn),
    "max": ([(4, 5)], lambda x: x.max(2).values, torch.randn),
    "max of the first": ([(4, 5)], lambda x: x.max(1).values, torch.randn),
    "logSumExp": ([(4, 5)], lambda x: torch.logsumexp(x, 2), torch.randn),
    "logSumExp of the first": ([(4, 5)], lambda x: torch.logsumexp(x, 1), torch.randn),
    "reshape": ([(2, 6)], lambda x: x.reshape(-1, 3, 4), torch.randn),
    "permute": ([(2, 3, 4)], lambda x: x.permute(0, 3, 1, 2), torch.randn),
    "permute four": ([(2, 3, 2, 3)], lambda x: x.permute(0, 4, 2, 3, 1), torch.randn),
    "slice": ([(4, 5)], lambda x: x[:, 1:3, 2:], torch.randn),
    "slice from the end": ([(4, 5, 2)], lambda x: x[:, -3:, :-1, 0:1], torch.randn),
    "pad": ([(2, 3)], lambda x: functional.pad(x, (2, 0, 1, 3), value=0.5), torch.randn),
    "upsample2d": ([(2, 3, 2)], images(lambda x: functional.interpolate(x, scale_factor=(2, 3))), torch.randn),
}


def make(folder):
    torch.manual_seed(4)
    data = {}
    for name, (shapes, operation, draw) in CASES.items():
        inputs = [draw((ROWS, *shape)).requires_grad_() for shape in shapes]
        output = operation(*inputs)
        gradient = torch.randn(output.shape)
        output.backward(gradient)
        data[f"{name}: output"], data[f"{name}: gradient"] = output, gradient
        for i, x in enumerate(inputs):
            data[f"{name}: x{i}"], data[f"{name}: dx{i}"] = x, x.grad
    write_safetensors(folder / "operations.safetensors", data)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
