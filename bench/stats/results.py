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


def _line(name: str, result: DieboldMarianoResult | CosineResult, method: str) -> str:
    line = (
        f"{name}: mean difference {result.mean_difference:.4g}, t = {result.statistic:.3f}, "
        f"p = {result.p_value:.3g} ({result.alternative}, t({result.df})); {method}, n = {result.n}"
    )
    left_out = f"{result.n_left_out} sessions without cells left out" if result.n_left_out else ""
    return "; ".join(part for part in (line, left_out, result.note) if part)
