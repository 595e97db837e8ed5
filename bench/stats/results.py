"""What the tests answer: small frozen records that print one readable line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Alternative = Literal["two-sided", "less", "greater"]
Kernel = Literal["bartlett", "rectangular"]


@dataclass(frozen=True)
class DieboldMarianoResult:
    """Answer of a Diebold-Mariano test on `d = loss_a - loss_b`.

    `fallback` is true where the variance estimate was not positive and the test was repeated with horizon 1
    and no lags; `horizon_used` and `lags` are those of the statistic. `note` says in words what was unusual;
    where no test is possible (too few sessions), `statistic` and `p_value` are NaN and `note` says why.
    `standard_error` is the HAC standard error of `mean_difference`, without the small-sample factor that is
    in `statistic`. `n` sessions were used, `n_left_out` had no cell.
    """

    statistic: float
    p_value: float
    mean_difference: float
    standard_error: float
    lags: int
    horizon: int
    horizon_used: int
    kernel: Kernel
    alternative: Alternative
    n: int
    fallback: bool = False
    note: str = ""
    n_left_out: int = 0

    @property
    def df(self) -> int:
        """Degrees of freedom of the t distribution."""
        return self.n - 1

    def __str__(self) -> str:
        method = f"{self.kernel}, {self.lags} lags, horizon {self.horizon_used}"
        return _line("Diebold-Mariano", self, method)


@dataclass(frozen=True)
class CosineResult:
    """Answer of an equal-weighted-cosine test on `d = loss_a - loss_b`: t with `df` degrees of freedom.

    `df` is also the number of cosines; 0 where the sample is too short for the horizon: `statistic` and
    `p_value` are then NaN and `note` says why. Other fields as in `DieboldMarianoResult`.
    """

    statistic: float
    p_value: float
    mean_difference: float
    standard_error: float
    df: int
    horizon: int
    alternative: Alternative
    n: int
    note: str = ""
    n_left_out: int = 0

    def __str__(self) -> str:
        return _line("equal-weighted cosine", self, f"{self.df} cosines, horizon {self.horizon}")


@dataclass(frozen=True)
class PanelTestResult:
    """The protocol's test of two entries: `headline`, and `bartlett` beside it (the same at horizon 1)."""

    headline: DieboldMarianoResult | CosineResult
    bartlett: DieboldMarianoResult

    @property
    def method(self) -> str:
        """Name of the headline test: `bartlett` or `cosine`."""
        return "cosine" if isinstance(self.headline, CosineResult) else "bartlett"

    @property
    def statistic(self) -> float:
        """The headline's statistic."""
        return self.headline.statistic

    @property
    def p_value(self) -> float:
        """The headline's p-value."""
        return self.headline.p_value

    @property
    def mean_difference(self) -> float:
        """Mean over days of the mean over symbols of `loss_a - loss_b`; negative: a has the smaller loss."""
        return self.headline.mean_difference

    @property
    def n(self) -> int:
        """Number of days used."""
        return self.headline.n

    @property
    def note(self) -> str:
        """What was unusual about the headline, in words; empty where nothing was."""
        return self.headline.note

    def __str__(self) -> str:
        if self.headline is self.bartlett:
            return str(self.headline)
        beside = f"Bartlett with {self.bartlett.lags} lags: p = {self.bartlett.p_value:.3g}"
        return f"{self.headline} [beside it, {beside}]"


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

    def __str__(self) -> str:
        line = (
            f"Pesaran-Timmermann: {self.hit_rate:.1%} hits against {self.expected_rate:.1%} if independent, "
            f"z = {self.statistic:.3f}, p = {self.p_value:.3g} ({self.alternative}); n = {self.n}"
        )
        return f"{line}; {self.note}" if self.note else line


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
    shift: CosineResult | None
    variance: Literal["cosine", "martingale"]
    horizon: int
    n: int
    df: int = 0
    n_left_out: int = 0
    note: str = ""

    def __str__(self) -> str:
        law = f"F(2, {self.df})" if self.variance == "cosine" else "chi-squared(2)"
        line = (
            f"Giacomini-White: mean difference {self.mean_calm:.4g} calm (n = {self.n_calm}), "
            f"{self.mean_crisis:.4g} crisis (n = {self.n_crisis}); W = {self.statistic:.3f}, p = {self.p_value:.3g} "
            f"({law}), horizon {self.horizon}"
        )
        shift = f"change with the regime: p = {self.shift.p_value:.3g}" if self.shift else ""
        return "; ".join(part for part in (line, shift, self.note) if part)


@dataclass(frozen=True)
class NestedResult:
    """Answer of a Clark-West test; differences in (percent^2)^2, small model less large.

    `test` is the one-sided test of a positive `adjusted_difference`; `mse_difference` is the plain one
    (negative: the small model forecast better), and the adjustment is what lies between them.
    """

    test: PanelTestResult
    mse_difference: float

    @property
    def statistic(self) -> float:
        """The headline's statistic."""
        return self.test.statistic

    @property
    def p_value(self) -> float:
        """The headline's one-sided p-value: small, where the additional terms hold information."""
        return self.test.p_value

    @property
    def adjusted_difference(self) -> float:
        """MSE difference plus the mean squared difference of the two forecasts."""
        return self.test.mean_difference

    def __str__(self) -> str:
        return (
            f"Clark-West: MSE difference {self.mse_difference:.4g}, adjusted {self.adjusted_difference:.4g}, "
            f"t = {self.statistic:.3f}, p = {self.p_value:.3g} (one-sided); {self.test.method}, n = {self.test.n}"
            f"{'; ' if self.test.note else ''}{self.test.note}"
        )


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

    def __str__(self) -> str:
        line = (
            f"Mincer-Zarnowitz: intercept {self.intercept:.4g} ({self.intercept_error:.2g}), slope {self.slope:.4g} "
            f"({self.slope_error:.2g}), R^2 = {self.r_squared:.3f}; (0, 1): F = {self.statistic:.3f}, "
            f"p = {self.p_value:.3g}; {self.lags} lags, n = {self.n}"
        )
        return f"{line}; {self.note}" if self.note else line


def _line(name: str, result: DieboldMarianoResult | CosineResult, method: str) -> str:
    line = (
        f"{name}: mean difference {result.mean_difference:.4g}, t = {result.statistic:.3f}, "
        f"p = {result.p_value:.3g} ({result.alternative}, t({result.df})); {method}, n = {result.n}"
    )
    left_out = f"{result.n_left_out} sessions without cells left out" if result.n_left_out else ""
    return "; ".join(part for part in (line, left_out, result.note) if part)
