"""Reads the digits as `data.ts` does."""
import numpy as np


def digits(part, count):
    """The first images of a part, as rows of numbers from 0 to 1, and their digits."""
    images = np.fromfile(f"{part}-images.bin", np.uint8).reshape(-1, 784)[:count] / 255
    return images, np.fromfile(f"{part}-labels.bin", np.uint8)[:count]
