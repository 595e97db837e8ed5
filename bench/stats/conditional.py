"""The Giacomini-White test: is one forecast better in one regime, although neither is on average?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.stats.differences import (
    CONSTANT,
    IDENTICAL,
    Differences,
    check_options,
    days_with_cells,
    of_panel,
    of_series,
)
from bench.stats.ewc import checked_count, cosines, ewc_test
from bench.stats.protocol import cosine_count
from bench.stats.results import ConditionalResult, MeanTest

Array = NDArray[np.float64]
Variance = Literal["cosine", "martingale"]


def giacomini_white(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    crisis: ArrayLike,
    horizon: int = 1,
    variance: Variance = "cosine",
    nu: int | None = None,
) -> ConditionalResult:
    """Test of equal expected loss given the regime at the origin, with instruments (1, crisis), and its two means.

    - `loss_a`, `loss_b`: `(n,)`, or `(n_sessions, n_symbols)`, of which the daily means of the difference
      d_{t+h} are tested; NaN as in `panel_diebold_mariano`.
    - `crisis`: `(n,)`, 1 where the VIX of the origin t is 20 or more, else 0; sessions where it is NaN (unknown)
      are left out. It must be known at the origin: the regime of a calendar month is not.

    `n Zbar' Omega^-1 Zbar` with `Z_t = (1, crisis_t) d_{t+h}`: Giacomini and White (2006), Tests of conditional
    predictive ability, Econometrica 74, theorems 1 and 3. `variance` is Omega:

    - `cosine`: equal-weighted cosine as in `equal_weighted_cosine`, of `nu` cosines, and `(nu - 1) / (2 nu)` times
      the statistic compared with F(2, nu - 1): Lazarus, Lewis, Stock and Watson (2018), JBES 36. For every horizon.
    - `martingale`: their theorem 1, `mean(Z Z')` without lags and chi-squared(2), which is n times the
      uncentred R^2 of 1 on Z. Horizon 1 only, and it takes a lasting advantage of either forecast, in turns and
      in both regimes alike, for a rejection.

    `shift` asks the narrower question, whether the difference itself changes with the regime: the slope of d
    on crisis, with the variance and t of `equal_weighted_cosine`. The theory holds for forecasts from windows
    of fixed length. Under expanding windows with refits it is approximate, and the answer is about these
    forecasts as they were made, not about the models.

    NaN and a `note` where nothing can be tested: too few sessions, or a regime that never changes. Identical
    losses have p 1. ValueError for shapes, infinite losses, or `crisis` other than 0, 1 and NaN.

    >>> rng = np.random.default_rng(1)
    >>> crisis = np.arange(750) // 50 % 2
    >>> d = rng.normal(0.3 * (2 * crisis - 1), 1)
    >>> result = giacomini_white(2 + d, np.full(750, 2.0), crisis)
    >>> result.p_value < 0.01, result.shift.p_value < 0.01, result.n_calm, result.n_crisis
    (True, True, 400, 350)
    """
    check_options(horizon, "two-sided")
    if variance not in get_args(Variance) or (variance == "martingale" and horizon > 1):
        raise ValueError(f"variance is {variance!r} at horizon {horizon}: 'cosine', or 'martingale' at horizon 1")
    d, known = _differences(loss_a, loss_b, crisis)
    n, n_crisis = len(d), int(known.sum())
    nu = cosine_count(n, horizon) if nu is None else checked_count(n, horizon, nu)
    calm, in_crisis = (float(d.values[known == at].mean()) if (known == at).any() else math.nan for at in (0, 1))
    result = ConditionalResult(
        statistic=math.nan, p_value=math.nan, mean_calm=calm, mean_crisis=in_crisis, n_calm=n - n_crisis,
        n_crisis=n_crisis, shift=_shift(d, known, horizon, nu), variance=variance, horizon=horizon, n=n,
        n_left_out=d.n_left_out,
    )  # fmt: skip
    if n_crisis in (0, n):
        return replace(result, note="no test: the regime never changes in this sample")
    if nu < 2:
        return replace(result, note=f"no test: {n} sessions are too few for horizon {horizon}")
    if d.identical:
        return replace(result, statistic=0.0, p_value=1.0, note=IDENTICAL)
    if d.constant:
        return replace(result, statistic=math.inf, p_value=0.0, note=CONSTANT)
    moments = d.values[:, None] / d.scale * np.column_stack([1.0 - known, known])
    return _wald(result, moments, nu)


def _wald(result: ConditionalResult, moments: Array, nu: int) -> ConditionalResult:
    """The Wald test that both columns of `moments (n, 2)` have mean 0: it does not depend on their basis."""
    n, mean = len(moments), moments.mean(axis=0)
    if result.variance == "martingale":
        root = moments / math.sqrt(n)
    else:
        root = cosines(n, nu) @ (moments - mean) / math.sqrt(nu)
    # The calm and the crisis part of d, rather than (1, crisis) d, and each to its own scale: they hardly
    # overlap, so the matrix is well conditioned even where the regimes are very unlike.
    size = np.sqrt((root**2).sum(axis=0))
    if not (size > 0).all():
        return replace(result, note="no test: the difference has no variance in one of the regimes")
    omega = (root / size).T @ (root / size)
    if np.linalg.cond(omega) > 1e12:
        return replace(result, note="no test: the instruments cannot be told apart")
    statistic = n * float(mean / size @ np.linalg.solve(omega, mean / size))
    if result.variance == "martingale":
        return replace(result, statistic=statistic, p_value=float(special.chdtrc(2, statistic)))
    p = float(special.fdtrc(2, nu - 1, statistic * (nu - 1) / (2 * nu)))
    return replace(result, statistic=statistic, p_value=p, df=nu - 1)


def _shift(d: Differences, crisis: Array, horizon: int, nu: int) -> MeanTest | None:
    """The test of a zero slope of d on crisis, from the influence of each day on it, whose mean is the slope."""
    spread = float(crisis.var()) if len(d) else 0.0
    if spread == 0:
        return None
    centred = crisis - crisis.mean()
    slope = float(centred @ d.values) / len(d) / spread
    error = d.values - d.mean - slope * centred
    values = slope + centred * error / spread
    influence = Differences(values, d.rounding * 2 * len(d) / max(1.0, min(crisis.sum(), (1 - crisis).sum())))
    return ewc_test(influence, horizon, "two-sided", nu)


def _differences(loss_a: ArrayLike, loss_b: ArrayLike, crisis: ArrayLike) -> tuple[Differences, Array]:
    """Differences of the sessions whose regime is known, and their regimes."""
    a, b, regime = (np.asarray(x, dtype=np.float64) for x in (loss_a, loss_b, crisis))
    if a.shape != b.shape or regime.shape != a.shape[:1] or a.ndim not in (1, 2):
        raise ValueError(f"losses have shapes {a.shape} and {b.shape}, crisis {regime.shape}: one regime per session")
    known = ~np.isnan(regime)
    if not np.isin(regime[known], (0.0, 1.0)).all():
        raise ValueError("crisis must be 0 or 1, NaN where the regime is unknown")
    a, b, regime = a[known], b[known], regime[known]
    d = of_series(a, b) if a.ndim == 1 else of_panel(a, b)
    if a.ndim == 2:
        regime = regime[days_with_cells(a, b)]
    return replace(d, n_left_out=d.n_left_out + int((~known).sum())), regime
