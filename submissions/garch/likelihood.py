"""Gaussian log-likelihoods of GARCH, GJR-GARCH and EGARCH, with exact gradients and Hessians.

Of the filters of `bench.recursions`, in mu and the parameters there.

A filter is `x_0 = x_0(p)`, `x_{t+1} = f_t(x_t, p)`, with x the variance h or its logarithm, and the log-likelihood is
`sum_t l_t(x_t, p)`. Let `J_t = dx_t / dp`, so that `J_{t+1} = f_x J_t + f_p`: a linear recursion, and so a bidiagonal
system. Its transpose, solved backwards for `a_t = dl_t/dx_t + f_x a_{t+1}`, tells what moving x_t does to all that
follows. Then

    gradient = sum_t dl_t/dp + x_0p a_0 + sum_t f_p a_{t+1}
    Hessian  = sum_t of [J_t I] ( l'' + a_{t+1} f'' ) [J_t I]^T  +  a_0 x_0''

with l'' and f'' the second derivatives by (x, p) at t. Gradient and one Hessian cost a filter and six such systems.
(Fiorentini, Calzolari and Panattoni 1996, Journal of Applied Econometrics 11, have the GARCH case, with second
derivatives of h carried forward instead of one adjoint carried backward.)

The first x follows from the `backcast` of the squared residuals, which depends on mu as in the filter that is used
afterwards, and in which it is a smooth function. `arch` takes it from residuals about the sample mean while it
optimises, and so maximises a slightly different likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from arch.univariate import EGARCH
from numpy.typing import NDArray
from scipy.linalg.lapack import dtbtrs
from scipy.signal import lfilter

from bench.recursions import MEAN_ABS_NORMAL, backcast

Array = NDArray[np.float64]

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Likelihood:
    """A log-likelihood, its gradient `(k,)` and Hessian `(k, k)` at k parameters.

    At a kink in mu the gradient is the mean of those on its two sides, and `kink` what has to be added to the
    derivative by mu for the right side and subtracted for the left.
    """

    value: float
    gradient: Array
    hessian: Array
    kink: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether all of it can be calculated with."""
        return bool(np.isfinite(self.value) and np.isfinite(self.gradient).all() and np.isfinite(self.hessian).all())


def garch_likelihood(returns: Array, parameters: Array) -> Likelihood:
    """The log-likelihood of percent `returns (n_sessions,)` at mu, omega, alpha, beta."""
    kept = [0, 1, 2, 4]
    full = gjr_likelihood(returns, np.insert(parameters, 3, 0.0))
    return Likelihood(full.value, full.gradient[kept], full.hessian[np.ix_(kept, kept)])


@np.errstate(all="ignore")  # parameters that lead to what is not finite are told by `is_finite`
def gjr_likelihood(returns: Array, parameters: Array) -> Likelihood:
    """The log-likelihood of percent `returns (n_sessions,)` at mu, omega, alpha, gamma, beta.

    Its gradient is continuous in mu; the second derivative by mu jumps where a residual changes its sign.
    """
    mu, omega, alpha, gamma, beta = parameters
    e = returns - mu
    square, negative = e * e, e < 0.0
    news, persistence = alpha + gamma * negative, alpha + 0.5 * gamma + beta
    start, start_mu, start_mumu = start_var(returns, mu)
    h = lfilter([1.0], [1.0, -beta], np.append(omega + persistence * start, (omega + news * square)[:-1]))

    slope = np.full(len(e), beta)
    inputs = np.empty((len(e), 5))
    inputs[0] = persistence * start_mu, 1.0, start, 0.5 * start, start
    inputs[1:] = np.column_stack([-2.0 * news * e, np.ones_like(e), square, negative * square, h])[:-1]
    adjoint = backward(slope, 0.5 * (square / h - 1.0) / h)
    later = np.append(adjoint[1:], 0.0)

    cross = np.zeros((len(e), 5))
    cross[:, 0] = -e / h**2
    cross[:, 4] = later
    second = np.zeros((5, 5))
    second[0, 0] = 2.0 * (later @ news) - np.sum(1.0 / h) + adjoint[0] * persistence * start_mumu
    second[0, 2] = -2.0 * (later @ e) + adjoint[0] * start_mu
    second[0, 3] = -2.0 * (later @ (negative * e)) + adjoint[0] * 0.5 * start_mu
    second[0, 4] = adjoint[0] * start_mu
    value = -0.5 * float(np.sum(LOG_2PI + np.log(h) + square / h))
    direct, curvature = float(np.sum(e / h)), (0.5 - square / h) / h**2
    return Likelihood(*assemble(value, direct, (slope, inputs, adjoint), curvature, cross, second))


@np.errstate(all="ignore")  # as in GJR
def egarch_likelihood(returns: Array, parameters: Array, sides: Array | None = None) -> Likelihood:
    """The log-likelihood of percent `returns (n_sessions,)` at mu, omega, alpha, gamma, beta.

    It has a kink in mu at every return, from |z|. With `sides (n_sessions,)` of 1 and -1, |z| is `sides * z`: smooth,
    and the likelihood wherever these are the signs of the residuals. It is minus infinity where the filter does not
    forget how it started, the mean of `ln |dx_{t+1} / dx_t|` not negative: there every rounding grows, and likelihood
    and forecasts are noise (Wintenberger 2013, Scandinavian Journal of Statistics 40, on the invertibility of EGARCH).
    """
    mu, _, alpha, gamma, beta = parameters
    e = returns - mu
    if sides is None:
        sides = np.sign(e)
    start, start_mu, start_mumu = start_var(returns, mu)
    x = np.log(egarch_variances(e, parameters[1:], start))
    k = np.exp(-0.5 * x)  # dz/dx = -z / 2, dz/dmu = -k, dk/dx = -k / 2
    z = e * k

    news = alpha * sides + gamma
    slope = beta - 0.5 * news * z
    forgets = np.mean(np.log(np.abs(slope))) < 0.0
    inputs = np.empty((len(e), 5))
    inputs[0] = beta * start_mu / start, 1.0, 0.0, 0.0, np.log(start)
    inputs[1:] = np.column_stack([-news * k, np.ones_like(e), sides * z - MEAN_ABS_NORMAL, z, x])[:-1]
    adjoint = backward(slope, 0.5 * (z * z - 1.0))
    later = np.append(adjoint[1:], 0.0)

    cross = np.zeros((len(e), 5))
    cross[:, 0] = (0.5 * later * news - z) * k
    cross[:, 2] = -0.5 * later * sides * z
    cross[:, 3] = -0.5 * later * z
    cross[:, 4] = later
    second = np.zeros((5, 5))
    second[0, 0] = -(k @ k) + adjoint[0] * beta * (start_mumu / start - (start_mu / start) ** 2)
    second[0, 2] = -(later @ (sides * k))
    second[0, 3] = -(later @ k)
    second[0, 4] = adjoint[0] * start_mu / start
    value = -0.5 * float(np.sum(LOG_2PI + x + z * z)) if forgets else -np.inf
    curvature = 0.25 * later * news * z - 0.5 * z * z
    pieces = assemble(value, float(z @ k), (slope, inputs, adjoint), curvature, cross, second)
    return Likelihood(*pieces, kink=alpha * float(np.sum(later * k, where=e == 0.0)))


def egarch_variances(residuals: Array, parameters: Array, start: float) -> Array:
    """The variances `(n_sessions,)` of `bench.recursions.egarch_filter`, by the compiled filter of `arch`."""
    anything = np.tile([1e-300, 1e300], (len(residuals), 1))
    h = np.empty(len(residuals))
    return EGARCH(1, 1, 1).compute_variance(np.ascontiguousarray(parameters), residuals, h, np.log(start), anything)


def start_var(returns: Array, mu: float) -> tuple[float, float, float]:
    """The `backcast` of the squared residuals, its derivative by mu, and the second."""
    residuals = returns - mu
    return backcast(residuals**2)[()], -2.0 * backcast(residuals)[()], 2.0


def backward(slope: Array, score: Array) -> Array:
    """`a_t = score_t + slope_t a_{t+1}`, from the last session to the first, `(n_sessions,)`."""
    return dtbtrs(bidiagonal(slope), score, uplo="L", trans="T", diag="U")[0]


def forward(slope: Array, inputs: Array) -> Array:
    """`J_0 = inputs_0`, `J_{t+1} = slope_t J_t + inputs_{t+1}`, `(n_sessions, k)`."""
    return dtbtrs(bidiagonal(slope), np.asfortranarray(inputs), uplo="L", trans="N", diag="U")[0]


def bidiagonal(slope: Array) -> Array:
    """The bands `(2, n_sessions)` of the matrix with ones on the diagonal and `-slope_t` below them."""
    bands = np.empty((2, len(slope)), order="F")
    bands[0], bands[1] = 1.0, -slope
    return bands


def assemble(
    value: float, direct: float, linear: tuple[Array, Array, Array], curvature: Array, cross: Array, second: Array
) -> tuple[float, Array, Array]:
    """The value, gradient and Hessian of a likelihood from the pieces of its filter.

    `direct` is `sum_t dl_t/dmu` at fixed x; `linear` are the slopes f_x `(n_sessions,)`, the inputs
    `(n_sessions, k)`, first of x_0 and then of f, and the adjoint `(n_sessions,)`. Of `l'' + a_{t+1} f''`,
    `curvature (n_sessions,)` is the part by x twice, `cross (n_sessions, k)` by x and p, and `second (k, k)`, of which
    the upper triangle is read, by p twice, summed over sessions, with `a_0 x_0''`.
    """
    slope, inputs, adjoint = linear
    gradient = inputs.T @ adjoint
    gradient[0] += direct
    by_parameter = forward(slope, inputs)
    mixed = by_parameter.T @ cross
    hessian = by_parameter.T @ (curvature[:, None] * by_parameter) + mixed + mixed.T
    return value, gradient, hessian + np.triu(second) + np.triu(second, 1).T
