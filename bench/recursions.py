"""The recursions under the name by which entries of protocol 1.0 import them."""

from bench.plugin.recursions import *  # noqa: F403
