"""Loaded before any test imports NumPy or PyTorch, whose numbers of threads are read once."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in a process for each core: more threads only wait in turns
