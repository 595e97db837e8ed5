"""The protocol's choice of test: which one is the headline at which horizon, and how it is set.

The one place that knows: tests of two entries, of pairs and by symbol, the board and its pages all ask here.
A horizon is the number of unknown sessions of a target.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Method = Literal["bartlett", "cosine"]
"""The variance of a test: HAC with Bartlett weights (Diebold-Mariano), or the first cosines."""


def headline(horizon: int) -> Method:
    """The test that decides: Bartlett at horizon 1, cosine above, where the overlap of targets makes HAC reject more.

    >>> headline(1), headline(5)
    ('bartlett', 'cosine')
    """
    return "bartlett" if horizon == 1 else "cosine"


def beside(horizon: int) -> Method:
    """The other test, shown beside the headline.

    >>> beside(1), beside(5)
    ('cosine', 'bartlett')
    """
    return "cosine" if headline(horizon) == "bartlett" else "bartlett"


GAP: Method = "bartlett"
"""The test whose standard errors make the smallest resolvable gap, at every horizon."""


def bartlett_lags(n: int, horizon: int) -> int:
    """Lags of the Bartlett weights: the integer cube root of n at horizon 1, the larger of that and 2h above.

    >>> bartlett_lags(753, 1), bartlett_lags(753, 21)
    (9, 42)
    """
    root = integer_cube_root(n)
    return root if horizon == 1 else max(root, 2 * horizon)


def cosines_used(n: int, horizon: int) -> int:
    """Cosines of the equal-weighted-cosine test, its degrees of freedom: 16 up to a week, 8 above.

    Never more than `floor(n / (2h))`: a cosine that turns faster than the targets overlap sees less variance than
    there is at frequency 0. Few cosines cost power and keep the size: a true null is rejected in 5 to 6 % of samples
    like the official ones (docs/size_and_power.md).

    >>> cosines_used(753, 1), cosines_used(749, 5), cosines_used(733, 21), cosines_used(100, 21), cosines_used(41, 21)
    (16, 16, 8, 2, 0)
    """
    return min(16 if horizon <= 5 else 8, n // (2 * horizon))


def cosine_count(n: int, horizon: int) -> int:
    """Cosines under protocol 1.0: `min(floor(0.4 n^(2/3)), floor(n / (2h)))`; k <= 0.4 n^(2/3) is 125 k^3 <= 8 n^2.

    >>> cosine_count(125, 1), cosine_count(753, 21), cosine_count(10, 21)
    (10, 17, 0)
    """
    return min(integer_cube_root(8 * n * n // 125), n // (2 * horizon))


def integer_cube_root(n: int) -> int:
    """Largest integer whose cube is at most n >= 0, exactly: in floating point 64 ** (1/3) is below 4.

    >>> [integer_cube_root(n) for n in (0, 26, 27, 63, 64, 753)]
    [0, 2, 3, 3, 4, 9]
    """
    root = int(np.cbrt(n))
    while root**3 > n:
        root -= 1
    while (root + 1) ** 3 <= n:
        root += 1
    return root
