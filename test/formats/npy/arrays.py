"""Writes the fixtures of npy.test.ts with NumPy.

python3 arrays.py make FOLDER    the arrays of npy.test.ts, in many types and orders, and two archives
python3 arrays.py check FOLDER   reads what blasnet has written there: ours.npz and ours.npy
"""

import sys
from pathlib import Path

import numpy as np

VALUES = np.arange(24).reshape(2, 3, 4)


def make(folder):
    for kind in ["<f2", "<f4", ">f4", "<f8", ">f8", "|i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "|u1", "<u2", "<u4", "<u8"]:
        values = VALUES - (0 if "u" in kind else 5)
        np.save(folder / f"{kind[1:]}{'-big' if kind[0] == '>' else ''}.npy", values.astype(kind))
    np.save(folder / "bool.npy", VALUES % 3 == 1)
    np.save(folder / "fortran.npy", np.asfortranarray(VALUES.astype("<f4")))
    np.save(folder / "fortran-i8.npy", np.asfortranarray(VALUES.astype("<i8")))
    np.save(folder / "scalar.npy", np.float32(2.5))
    np.save(folder / "empty.npy", np.zeros((3, 0), np.float32))
    np.save(folder / "wide.npy", np.array([1, 2**31]))
    np.save(folder / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(folder / "structured.npy", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
    arrays = {"x": VALUES.astype("<f4"), "y": np.array([1, 0, 2]), "__proto__": np.float64([1.5])}
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "deflated.npz", **arrays)


def check(folder):
    assert np.array_equal(np.load(folder / "ours.npy"), VALUES.astype(np.float32))
    with np.load(folder / "ours.npz") as arrays:
        assert sorted(arrays.files) == ["float32", "float64", "int16", "int32", "int8", "scalar", "uint16", "uint32", "uint8"]
        for name in arrays.files:
            if name == "scalar":
                assert arrays[name].shape == () and arrays[name] == 7
            else:
                assert arrays[name].dtype == name and np.array_equal(arrays[name], VALUES), name
    print("read")


{"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
