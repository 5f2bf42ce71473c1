"""The OpenBLAS that the process has loaded, its core and its threads."""
import ctypes
import os
import re

# Prefixes and suffixes of OpenBLAS's functions in wheels.
_AFFIXES = [("", ""), ("", "64_"), ("scipy_", ""), ("scipy_", "64_")]


def _loaded():
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split()[-1] for line in maps if re.search(r"/\S*(openblas|libblas)\S*$", line)}
    except OSError:
        return []
    # libblas.so.3 may be a link to OpenBLAS.
    return sorted({os.path.realpath(path) for path in paths})


def _function(library, name, result):
    for before, after in _AFFIXES:
        try:
            function = getattr(library, before + name + after)
        except AttributeError:
            continue
        function.restype = result
        return function
    return None


def describe():
    """For example "OpenBLAS SkylakeX, 2 threads"; None without OpenBLAS."""
    found = []
    for path in _loaded():
        library = ctypes.CDLL(path)
        core = _function(library, "openblas_get_corename", ctypes.c_char_p)
        threads = _function(library, "openblas_get_num_threads", ctypes.c_int)
        if core is None or threads is None:
            continue
        count = threads()
        found.append("OpenBLAS %s, %d %s" % (core().decode(), count, "thread" if count == 1 else "threads"))
    return "; ".join(sorted(set(found))) or None
