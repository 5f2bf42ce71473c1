"""Writes the fixtures of modules.test.ts: states of a residual network whose modules have names, and what it computes.

python3 modules.py FOLDER

The files are in alphabetical order, as the package safetensors writes them.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from torch import nn

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def write(path, tensors):
    header, parts, at = {"__metadata__": {"format": "pt", "torch": torch.__version__}}, [], 0
    for name, tensor in sorted(tensors.items()):
        tensor = tensor.detach().contiguous()
        bits = tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor
        data = bits.numpy().tobytes()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


class Block(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.5]))
        self.conv1 = nn.Conv2d(2, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4, 4, 1), Block(4, 4, 1))
        self.layer2 = nn.Sequential(Block(4, 6, 2), Block(6, 6, 1))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3)))


def main(folder):
    torch.manual_seed(5)
    model = Residual().eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("var"):
            tensor.uniform_(0.5, 2)
        elif "bn" in name and tensor.is_floating_point():
            tensor.normal_(0.5, 0.5)
    x = torch.randn(2, 2, 6, 5)
    results = {"x": x}
    for prefix, dtype in [("", torch.float32), ("module.", torch.float64), ("_orig_mod.", torch.bfloat16), ("net.", torch.float16)]:
        state = {name: t.to(dtype) if t.is_floating_point() else t for name, t in model.state_dict().items()}
        write(folder / f"residual-{DTYPES[dtype].lower()}.safetensors", {prefix + name: t for name, t in state.items()})
        rounded = Residual().eval()
        rounded.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
        results[DTYPES[dtype]] = rounded(x)
    write(folder / "residual.data.safetensors", results)


main(Path(sys.argv[1]))
