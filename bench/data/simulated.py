"""Simulated bars with known true variance: a stochastic-volatility model with a market factor.

The model, for sessions t and intraday steps j = 1..78 (all draws standard normal unless said):

- Log variance has a slow and a fast component, the stochastic volatility of Taylor (1986, Modelling Financial
  Time Series) with two time scales; the variance is constant in level and U-shaped in shape over a session::

      V_t = exp(m + slow_t + fast_t)
      slow_{t+1} = a slow_t + sigma_a (rho z_t + sqrt(1 - rho^2) eta_t)      (fast: b, sigma_b, its own eta)
      z_t = sum_j sqrt(w_j) e_{t,j}                                          open-to-close return / sqrt(V_t)

  with rho < 0: a fall today raises variance tomorrow (leverage: Harvey and Shephard 1996, JBES 14). The factor is
  that of the market, `V^m`. A symbol has a beta and an idiosyncratic variance `V^i` of the same kind, whose level
  follows the market's: `V^i_t = exp(m_i + g_i (slow^m_t + fast^m_t) + slow^i_t + fast^i_t)`.
- A step moves the log price by `beta sqrt(V^m_t w_j) e^m_{t,j} + sqrt(V^i_t w_j) e^i_{t,j}`. The weights w_j sum
  to 1 and are U-shaped (Andersen and Bollerslev 1997, Journal of Empirical Finance 4), so the integrated variance
  from open to close is exactly `true_var = beta^2 V^m_t + V^i_t`, and measures of range are unbiased for it.
- Inside a step from x to y with variance s2 the log price is a Brownian bridge; its maximum has
  `P(max <= h) = 1 - exp(-2 (h - x)(h - y) / s2)` for h >= max(x, y) (Karatzas and Shreve 1991, section 4.3), hence
  `h = (x + y + sqrt((y - x)^2 + 2 s2 E)) / 2` with E exponential; the minimum by symmetry. Maximum and minimum
  of one step are drawn independently: a session's two extremes all but never fall into the same one of 78 steps.
- Overnight: drift, a diffusion of a quarter of the coming session's variance, rare jumps of the market and of the
  symbol (Merton 1976, Journal of Financial Economics 3).
- The VIX-like index is `100 sqrt(252 p M_t)` times 3 % noise, M_t the model's expectation at the close of t of the
  mean daily variance of the market (nights and jumps included) over the next 21 sessions, p a risk premium.

Every kind of draw has its own stream, seeded by (seed, symbol, kind) and read session by session, so that
sessions added at the end of the list change no earlier bar. To give the same bytes on every machine the
variances are rounded to 10 significant digits, everything between them and the log prices is +, -, *, / and
square root (exact in IEEE arithmetic; no matrix products, no pairwise sums), and prices are rounded to 6 digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.panel import Panel
from bench.data.snapshot import check
from bench.errors import DataError
from bench.registry.config import Dataset, SimulatedSource

Array = NDArray[np.float64]

STEPS = 78
HORIZON = 21
SLOW, FAST = 0.985, 0.70
LEVERAGE = -0.55
MARKET_VOL = 0.0077
"""Median open-to-close volatility of the market, per session."""
MARKET_SD = (0.11, 0.40)
"""Standard deviations of the market's daily shocks to the slow and the fast component."""
SYMBOL_SD = (0.06, 0.28)
NIGHT_SHARE = 0.25
NIGHT_DRIFT = 3e-4
MARKET_JUMP = (0.01, 0.012)
"""Probability per night, standard deviation."""
SYMBOL_JUMP = (0.012, 0.035)
VIX_PREMIUM = 1.25
VIX_NOISE = 0.03
KINDS = ("steps", "variance", "night", "whether it jumps", "jump", "extremes", "volume", "traits", "vix")
"""The streams of draws of a symbol; their order is part of the bars."""


@dataclass(frozen=True)
class LogVariance:
    """Slow and fast component of a log variance at each session, `(n_sessions,)`, and what is known of the next."""

    slow: Array
    fast: Array
    next_slow: Array
    next_fast: Array

    @property
    def total(self) -> Array:
        """Log variance around its mean."""
        return self.slow + self.fast


@dataclass(frozen=True)
class Intraday:
    """One symbol's sessions from the open on, log prices relative to the open, `(n_sessions,)`."""

    high: Array
    low: Array
    close: Array


def load(dataset: Dataset) -> Panel:
    """Returns the checked panel of a simulated dataset, `true_var` (integrated open-to-close variance) set."""
    if not isinstance(dataset.source, SimulatedSource):
        raise DataError(f"{dataset.id}: source.kind is {dataset.source.kind}, not simulated")
    if dataset.market is None:
        raise DataError(f"{dataset.id}: a simulated dataset needs a market; name one of its symbols in dataset.yaml")
    if dataset.source.seed < 0:
        raise DataError(f"{dataset.id}: source.seed is {dataset.source.seed}; write a seed of 0 or more")
    dates = read_sessions(dataset, dataset.source.sessions)
    bars, vix, true_var = simulate(dates, dataset.symbols, dataset.market, dataset.source.seed)
    panel = check(dataset, bars, pd.Series(vix, index=pd.DatetimeIndex(dates)) if dataset.vix else None)
    return replace(panel, true_var=true_var[len(dates) - len(panel.dates) :])


def read_sessions(dataset: Dataset, name: str) -> NDArray[np.datetime64]:
    """Returns the sessions listed in a file of the dataset's folder, one ISO day a line, rising."""
    path = dataset.folder / name
    try:
        dates = np.array(path.read_text(encoding="utf-8").split(), dtype="datetime64[D]")
    except (OSError, ValueError) as error:
        raise DataError(f"{dataset.id}: {path} is no list of days such as 2010-01-04, one a line ({error})") from error
    if not len(dates):
        raise DataError(f"{dataset.id}: {path} is empty; list the sessions, one day such as 2010-01-04 a line")
    falling = np.flatnonzero(np.diff(dates) <= np.timedelta64(0, "D"))
    if len(falling):
        raise DataError(f"{dataset.id}: {path}: {dates[falling[0] + 1]} follows {dates[falling[0]]}; sort the days")
    return dates


def simulate(
    dates: NDArray[np.datetime64], symbols: list[str], market: str, seed: int
) -> tuple[pd.DataFrame, Array, Array]:
    """Returns long-form bars, the VIX-like index `(n_sessions,)` and true variances `(n_sessions, n_symbols)`.

    Columns of the true variances are in the order of `symbols`; the market is symbol 0 of the streams, the others
    follow in that order.
    """
    n = len(dates)
    weights = u_shape()
    steps = _stream(seed, 0, "steps").standard_normal((n, STEPS)) * np.sqrt(weights)
    state = log_variance(_stream(seed, 0, "variance"), _sum_over_steps(steps), MARKET_SD)
    mean = 2 * math.log(MARKET_VOL)
    market_var = _digits(np.exp(mean + state.total), 10)
    market_night = _night(seed, 0, market_var, MARKET_JUMP)
    frames, true_vars = {}, {}
    moves = _root(market_var)[:, None] * steps
    frames[market] = _bars(seed, 0, moves, market_var, weights, market_night, math.log(100.0))
    true_vars[market] = market_var
    for k, symbol in enumerate((s for s in symbols if s != market), start=1):
        traits = _stream(seed, k, "traits").random(4)
        beta = 0.6 + 0.9 * traits[0]
        level = 0.007 + 0.0085 * traits[1]
        follows = 0.4 + 0.4 * traits[2]
        own_steps = _stream(seed, k, "steps").standard_normal((n, STEPS)) * np.sqrt(weights)
        own = log_variance(_stream(seed, k, "variance"), _sum_over_steps(own_steps), SYMBOL_SD)
        own_var = _digits(np.exp(2 * math.log(level) + follows * state.total + own.total), 10)
        true_vars[symbol] = beta * beta * market_var + own_var
        overnight = beta * market_night + _night(seed, k, own_var, SYMBOL_JUMP)
        path = beta * moves + _root(own_var)[:, None] * own_steps
        start = math.log(20.0) + traits[3] * math.log(15.0)
        frames[symbol] = _bars(seed, k, path, true_vars[symbol], weights, overnight, start)
    bars = pd.concat([frames[s].assign(date=dates, symbol=s) for s in symbols], ignore_index=True)
    vix = _vix(_stream(seed, 0, "vix"), state, mean)
    return bars, vix, _digits(np.column_stack([true_vars[s] for s in symbols]), 10)


def u_shape() -> Array:
    """Returns each step's share of a session's variance, `(STEPS,)`: three times as much at the ends as at noon."""
    raw = [1.0 + 2.0 * ((2 * j - STEPS + 1) / (STEPS - 1)) ** 2 for j in range(STEPS)]
    total = math.fsum(raw)
    return np.array([value / total for value in raw])


def log_variance(rng: np.random.Generator, z: Array, sd: tuple[float, float]) -> LogVariance:
    """Returns the two components of a log variance driven by the standardised returns `z` (leverage) and noise.

    `next_slow` and `next_fast` are the expectations at the close of t of the components at t + 1.
    """
    start = rng.standard_normal(2).tolist()
    noise = rng.standard_normal((len(z), 2))
    components = []
    for i, (decay, spread) in enumerate(zip((SLOW, FAST), sd, strict=True)):
        known = spread * LEVERAGE * z
        shocks = known + spread * math.sqrt(1 - LEVERAGE**2) * noise[:, i]
        first = start[i] * spread / math.sqrt(1 - decay**2)
        values = _autoregression(decay, first, shocks[:-1])
        components.append((values, decay * values + known))
    (slow, next_slow), (fast, next_fast) = components
    return LogVariance(slow, fast, next_slow, next_fast)


def intraday(rng: np.random.Generator, moves: Array, step_var: Array) -> Intraday:
    """Returns high, low and close of each session from moves and variances of its steps, `(n_sessions, STEPS)`.

    With the extremes of the Brownian bridge inside each step (see the module).
    """
    end = np.cumsum(moves, axis=1)
    ends_sum = 2 * end - moves
    draws = rng.standard_exponential((len(moves), 2, moves.shape[1]))
    squared = moves * moves
    top = (ends_sum + _root(squared + 2 * step_var * draws[:, 0])) / 2
    bottom = (ends_sum - _root(squared + 2 * step_var * draws[:, 1])) / 2
    return Intraday(top.max(axis=1), bottom.min(axis=1), end[:, -1].copy())


def _bars(
    seed: int, k: int, moves: Array, true_var: Array, weights: Array, overnight: Array, start: float
) -> pd.DataFrame:
    """One symbol's open, high, low, close, volume; `start` is the log close before the first session."""
    path = intraday(_stream(seed, k, "extremes"), moves, true_var[:, None] * weights)
    opening = overnight + NIGHT_DRIFT
    close = start + np.cumsum(opening + path.close)
    begin = close - path.close
    activity = 0.5 * np.log(true_var / MARKET_VOL**2) + 0.25 * _stream(seed, k, "volume").standard_normal(len(close))
    logs = {"open": begin, "high": begin + path.high, "low": begin + path.low, "close": close}
    prices = {name: _digits(np.exp(values), 6) for name, values in logs.items()}
    return pd.DataFrame({**prices, "volume": np.rint(np.exp(activity) * 2e4) * 100})


def _vix(rng: np.random.Generator, state: LogVariance, mean: float) -> Array:
    """The index at each close: the model's expected variance of the market over the next sessions, as volatility.

    Given the close of t, `slow_{t+k}` is normal with mean `a^(k-1) E_t slow_{t+1}` and variance
    `sigma_a^2 ((1 - rho^2) a^(2(k-1)) + sum_{i < k-1} a^(2i))`; likewise the fast component. The two share the
    leverage shock, which adds twice its covariance from the second session on.
    """
    expected = np.zeros(len(state.slow))
    spread, other = MARKET_SD
    for k in range(1, HORIZON + 1):
        past = [(SLOW**i, FAST**i) for i in range(k - 1)]
        first = (1 - LEVERAGE**2) * ((spread * SLOW ** (k - 1)) ** 2 + (other * FAST ** (k - 1)) ** 2)
        later = math.fsum((spread * a) ** 2 + (other * b) ** 2 for a, b in past)
        shared = 2 * LEVERAGE**2 * spread * other * math.fsum(a * b for a, b in past)
        centre = SLOW ** (k - 1) * state.next_slow + FAST ** (k - 1) * state.next_fast
        expected = expected + np.exp(mean + centre + (first + later + shared) / 2)
    daily = (1 + NIGHT_SHARE) * expected / HORIZON + MARKET_JUMP[0] * MARKET_JUMP[1] ** 2
    index = 100 * np.sqrt(252 * VIX_PREMIUM * daily) * np.exp(VIX_NOISE * rng.standard_normal(len(daily)))
    return np.asarray(np.round(index, 2))


def _stream(seed: int, symbol: int, kind: str) -> np.random.Generator:
    """The generator of one kind of draw of one symbol."""
    return np.random.Generator(np.random.PCG64([seed, symbol, KINDS.index(kind)]))


def _night(seed: int, k: int, var: Array, jump: tuple[float, float]) -> Array:
    """Log moves from close to open: diffusion, and with probability `jump[0]` a jump of sd `jump[1]`."""
    probability, spread = jump
    diffusion = _root(NIGHT_SHARE * var) * _stream(seed, k, "night").standard_normal(len(var))
    happens = _stream(seed, k, "whether it jumps").random(len(var)) < probability
    return diffusion + np.where(happens, spread * _stream(seed, k, "jump").standard_normal(len(var)), 0.0)


def _autoregression(decay: float, first: float, shocks: Array) -> Array:
    """`x_0 = first, x_{t+1} = decay x_t + shocks_t`, one step after the other in plain floats."""
    steps: list[float] = shocks.tolist()
    return np.array(list(accumulate(steps, lambda value, shock: decay * value + shock, initial=first)))


def _sum_over_steps(moves: Array) -> Array:
    """Sums of the rows, added from left to right (a plain sum may add in another order on another CPU)."""
    return np.cumsum(moves, axis=1)[:, -1]


def _root(values: Array) -> Array:
    return np.asarray(np.sqrt(values))


def _digits(values: Array, digits: int) -> Array:
    """Values > 0 rounded to so many significant digits; powers of ten come from literals, as they must be exact."""
    exponents = digits - 1 - np.floor(np.log10(values)).astype(int)
    scale = np.array([float(f"1e{e}") for e in range(23)])
    up = scale[np.clip(exponents, 0, 22)]
    down = scale[np.clip(-exponents, 0, 22)]
    return np.asarray(np.rint(values * up / down) / up * down)
