"""PyTorch, eager, on tensors that hold all images.

Options: `optimizer` is "single" (PyTorch's default), "fused" (PyTorch 2.4 and later), "flat" or "flatfused": all
parameters are views of one tensor, and so are the gradients, so that the optimizer makes one pass. `layout` is "nchw"
or "nhwc". `autocast` computes products in bfloat16. The threads of OpenMP and of the BLAS come from the environment.
"""
import re

import torch
from torch import nn
from torch.nn import functional


def blas():
    mkl = re.search(r"Math Kernel Library Version ([\d.]+)", torch.__config__.show())
    return "MKL " + mkl.group(1) if mkl and torch.backends.mkl.is_available() else None


def normalised(channels, filters, window, stride, groups=1):
    padding = (window - 1) // 2
    convolution = nn.Conv2d(channels, filters, window, stride, padding, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(filters)]


class Residual(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        same = stride == 1 and channels == filters
        self.shortcut = nn.Identity() if same else nn.Sequential(*normalised(channels, filters, 1, stride))
        first, second = normalised(channels, filters, 3, stride), normalised(filters, filters, 3, 1)
        self.branch = nn.Sequential(*first, nn.ReLU(inplace=True), *second)

    def forward(self, x):
        return functional.relu_(self.branch(x) + self.shortcut(x))


def image_layers(channels, layer):
    filters = layer["filters"]
    if layer["kind"] == "residual":
        return [Residual(channels, filters, layer["stride"])]
    if layer["kind"] == "separable":
        depthwise = normalised(channels, channels, 3, layer["stride"], groups=channels)
        return [*depthwise, nn.ReLU(inplace=True), *normalised(channels, filters, 1, 1), nn.ReLU(inplace=True)]
    layers = [nn.Conv2d(channels, filters, layer["window"], padding=layer["pad"]), nn.ReLU()]
    return layers + [nn.MaxPool2d(2)] if layer["pool"] else layers


def build_network(workload):
    layers = []
    widths = workload["widths"]
    channels = 1
    for layer in workload["images"]:
        layers += image_layers(channels, layer)
        channels = layer["filters"]
    if workload["images"]:
        layers += [nn.AdaptiveAvgPool2d(1)] if workload.get("channelMeans") else []
        layers.append(nn.Flatten())
    for i in range(len(widths) - 1):
        layers.append(nn.Linear(widths[i], widths[i + 1]))
        if i < len(widths) - 2:
            layers += [nn.BatchNorm1d(widths[i + 1]), nn.ReLU()] if workload["batchNorm"] else [nn.ReLU()]
    return nn.Sequential(*layers)


def flatten_parameters(network):
    """Replaces the network's parameters by views of one flat parameter, and returns it."""
    parameters = list(network.parameters())
    flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
    flat.grad = torch.zeros_like(flat)
    at = 0
    for p in parameters:
        end = at + p.numel()
        p.data, p.grad = flat.data[at:end].view_as(p), flat.grad[at:end].view_as(p)
        at = end
    return flat


class Model:
    def __init__(self, workload, options):
        self.images = bool(workload["images"])
        self.autocast = options.get("autocast") == 1
        self.network = build_network(workload)
        if options["layout"] == "nhwc":
            self.network = self.network.to(memory_format=torch.channels_last)
        style = options["optimizer"]
        self.flat = flatten_parameters(self.network) if style.startswith("flat") else None
        parameters = self.network.parameters() if self.flat is None else [self.flat]
        extra = {"fused": True} if style.endswith("fused") else {}
        if workload["optimizer"] == "adam":
            self.optimizer = torch.optim.Adam(parameters, lr=1e-3, **extra)
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, **extra)

    def place(self, images):
        tensor = torch.from_numpy(images)
        return tensor.view(-1, 1, 28, 28) if self.images else tensor

    def train(self, images, labels, batch):
        x, y = self.place(images), torch.from_numpy(labels)
        for indices in torch.randperm(len(y)).split(batch):
            if self.flat is None:
                self.optimizer.zero_grad(set_to_none=True)
            else:
                self.flat.grad.zero_()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
                logits = self.network(x.index_select(0, indices))
            functional.cross_entropy(logits.float(), y.index_select(0, indices)).backward()
            self.optimizer.step()

    def predictor(self, batch):
        """Only the products and activations, without the modules' overhead; only networks of dense layers."""
        layers = [(m.weight.detach().t(), m.bias.detach()) for m in self.network if isinstance(m, nn.Linear)]
        last = len(layers) - 1

        def predict(x):
            with torch.inference_mode():
                for i, (weight, bias) in enumerate(layers):
                    x = torch.addmm(bias, x, weight)
                    if i < last:
                        x.relu_()
                return x

        return predict

    def probabilities(self, images):
        self.network.eval()
        with torch.inference_mode():
            return functional.softmax(self.network(self.place(images)), 1).numpy()


def load(workload, threads, options, train):
    if "openmp" in options:
        torch.set_num_threads(options["openmp"])
    torch.manual_seed(1)
    return lambda: Model(workload, options)
