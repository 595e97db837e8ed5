"""volmark: a benchmark of daily volatility forecasts.

The package imports nothing heavy here: entries run in their own interpreters and import only `bench.plugin`, which
needs numpy alone.
"""

__version__ = "0.1.0"
