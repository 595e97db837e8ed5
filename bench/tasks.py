"""The tasks under the name by which entries of protocol 1.0 import them."""

from bench.plugin.tasks import *  # noqa: F403
