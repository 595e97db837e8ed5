"""Log-densities of an innovation `e` of variance `h` and their derivatives: normal, and Student's t."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, psi

Array = NDArray[np.float64]

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Terms:
    """Log-densities of a sample, summed; their derivatives by e and h, `(n_sessions,)`; by shape, summed, `(m,)`."""

    value: float
    by_e: Array
    by_h: Array
    by_shape: Array


Density = Callable[[Array, Array, Array], Terms]


def normal(e: Array, h: Array, shape: Array) -> Terms:
    """The normal density, which has no shape."""
    square = e * e / h
    return Terms(float(-0.5 * np.sum(LOG_2PI + np.log(h) + square)), -e / h, 0.5 * (square - 1.0) / h, np.zeros(0))


def student(e: Array, h: Array, shape: Array) -> Terms:
    """Student's t with `shape` degrees of freedom, above 2, scaled to variance h: Bollerslev (1987), equation 1.

    Review of Economics and Statistics 69.
    """
    (nu,) = shape
    ratio = e * e / (h * (nu - 2.0))
    tail = np.log1p(ratio)
    share = (nu + 1.0) * ratio / (1.0 + ratio)
    constant = gammaln(0.5 * (nu + 1.0)) - gammaln(0.5 * nu) - 0.5 * np.log(np.pi * (nu - 2.0))
    by_constant = 0.5 * (psi(0.5 * (nu + 1.0)) - psi(0.5 * nu) - 1.0 / (nu - 2.0))
    by_nu = len(e) * by_constant + 0.5 * np.sum(share / (nu - 2.0) - tail)
    return Terms(
        value=float(len(e) * constant - 0.5 * np.sum(np.log(h) + (nu + 1.0) * tail)),
        by_e=-(nu + 1.0) * e / (h * (nu - 2.0) * (1.0 + ratio)),
        by_h=0.5 * (share - 1.0) / h,
        by_shape=np.array([by_nu]),
    )
