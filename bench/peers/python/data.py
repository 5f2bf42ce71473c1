"""MNIST from its four raw IDX files: (images, labels), float32 images from 0 to 1, int64 labels."""
import os

import numpy as np


def _content(folder, name, header):
    with open(os.path.join(folder, name), "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def load(folder, split):
    images = _content(folder, split + "-images-idx3-ubyte", 16).reshape(-1, 784)
    labels = _content(folder, split + "-labels-idx1-ubyte", 8)
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)
