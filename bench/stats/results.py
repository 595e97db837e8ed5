"""What the tests of one or two forecasts answer: small frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Alternative = Literal["two-sided", "less", "greater"]
Kernel = Literal["bartlett", "rectangular"]


@dataclass(frozen=True)
class MeanTest:
    """Answer of a test of equal expected loss on `d = loss_a - loss_b`: t with `df` degrees of freedom.

    `mean_difference` is the mean of d (negative: a has the smaller loss), `standard_error` its standard error,
    without the small-sample factor that is in a Diebold-Mariano `statistic`. `method` is how its variance was
    estimated: `bartlett` or `rectangular` weights over `lags`, or `cosine`, with `df` cosines and no lags.

    `fallback`: the variance was not positive, so the test was repeated with horizon 1 and no lags. `note` says in
    words what was unusual; where no test is possible (too few sessions), `statistic` and `p_value` are NaN and
    `note` says why. `n` sessions were used, `n_left_out` had no cell. `beside` is the protocol's other test.
    """

    method: Kernel | Literal["cosine"]
    statistic: float
    p_value: float
    mean_difference: float
    standard_error: float
    df: int
    lags: int
    horizon: int
    alternative: Alternative
    n: int
    note: str = ""
    n_left_out: int = 0
    fallback: bool = False
    beside: MeanTest | None = None


@dataclass(frozen=True)
class PesaranTimmermannResult:
    """Answer of a Pesaran-Timmermann test: share of hits, and the share expected under independence."""

    statistic: float
    p_value: float
    hit_rate: float
    expected_rate: float
    alternative: Alternative
    n: int
    note: str = ""


@dataclass(frozen=True)
class ConditionalResult:
    """Answer of a Giacomini-White test on `d = loss_a - loss_b`, given the regime at the origin.

    `mean_calm` and `mean_crisis` are the means of d in each regime (negative: a has the smaller loss there),
    NaN without sessions; `shift` tests their difference, crisis less calm, None where the regime never
    changes. The p of `statistic` is from F(2, `df`) for the `cosine` variance, from chi-squared(2) for
    `martingale`, where `df` is 0. `n_left_out` sessions had no cell or no known regime.
    """

    statistic: float
    p_value: float
    mean_calm: float
    mean_crisis: float
    n_calm: int
    n_crisis: int
    shift: MeanTest | None
    variance: Literal["cosine", "martingale"]
    horizon: int
    n: int
    df: int = 0
    n_left_out: int = 0
    note: str = ""


@dataclass(frozen=True)
class NestedResult:
    """Answer of a Clark-West test; differences in (percent^2)^2, small model less large.

    `test` is the one-sided test of a positive mean of the adjusted difference (p small: the additional terms hold
    information); `mse_difference` is the plain one (negative: the small model forecast better), and the mean
    squared difference of the two forecasts is what lies between them.
    """

    mse_difference: float
    test: MeanTest


@dataclass(frozen=True)
class CalibrationResult:
    """Answer of a Mincer-Zarnowitz regression; `statistic` is F of intercept 0 (percent^2) and slope 1."""

    statistic: float
    p_value: float
    intercept: float
    slope: float
    intercept_error: float
    slope_error: float
    r_squared: float
    lags: int
    horizon: int
    n: int
    note: str = ""
