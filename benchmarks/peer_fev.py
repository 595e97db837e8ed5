"""The peer: what fev needs per evaluation window for 21 daily series, with a constant model and no isolation.

usage: /path/to/python-with-fev benchmarks/peer_fev.py    (pip install fev==0.10.0, in an environment of its own)
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import fev
import numpy as np
import pandas as pd

SERIES, SESSIONS, WINDOWS, REPEATS = 21, 2753, 100, 3


def main() -> None:
    rng = np.random.default_rng(1)
    dates = pd.bdate_range("2000-01-03", periods=SESSIONS)
    frame = pd.DataFrame(
        {
            "id": [f"S{i:03d}" for i in range(SERIES)],
            "timestamp": [dates.to_numpy()] * SERIES,
            "target": [rng.random(SESSIONS) for _ in range(SERIES)],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.parquet"
        frame.to_parquet(path)
        per_window = []
        for _ in range(REPEATS):
            task = fev.Task(dataset_path=str(path), horizon=1, num_windows=WINDOWS, eval_metric="MSE")
            started = time.perf_counter()
            predictions = []
            for window in task.iter_windows():
                window.get_input_data()
                predictions.append([{"predictions": np.array([0.5])} for _ in range(SERIES)])
            task.evaluation_summary(predictions, model_name="constant")
            per_window.append(1000 * (time.perf_counter() - started) / WINDOWS)
    print(
        f"fev {fev.__version__}: {statistics.median(per_window):.1f} ms per window, {SERIES} series, {WINDOWS} windows"
    )


if __name__ == "__main__":
    main()
