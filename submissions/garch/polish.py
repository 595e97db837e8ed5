"""From estimates near a maximum of a likelihood to the maximum itself: Newton steps under linear constraints.

Distances are in standard errors: the length of a Newton step in the metric of the negative Hessian (Newton decrement,
Boyd and Vandenberghe 2004, Convex Optimization, section 9.5.1), over the directions that the constraints leave free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from likelihood import Likelihood, egarch_likelihood, egarch_value, garch_likelihood, gjr_likelihood
from numpy.typing import NDArray
from scipy.linalg import eigh, null_space

Array = NDArray[np.float64]

TOLERANCE = 1e-10
"""Standard errors from the maximum at which it is reached; rounding leaves 1e-13 to 1e-11."""
MAX_STEPS = 60
"""Newton steps before a maximum counts as not reached; from estimates of `arch` it takes about four."""
NEAR = 0.1
"""Standard errors within which an EGARCH is put before its kinks are looked at."""
RIVAL = 0.02
"""How much lower the log-likelihood may be at a kink from which EGARCH is polished a second time."""
MAX_CELLS = 200
"""Kinks that one climb of EGARCH may cross."""
FLAT = 1e-10
"""What part of the largest curvature a direction has at least: a step along a flat one stays finite."""
SLACK = 1e-13
"""What part of a log-likelihood is rounding."""


@dataclass(frozen=True)
class Constraints:
    """`normals (m, k) @ parameters >= bounds (m,)`."""

    normals: Array
    bounds: Array

    def room(self, parameters: Array) -> Array:
        """How far inside the bounds parameters are, `(m,)`; zero where only rounding keeps them off."""
        room = self.normals @ parameters - self.bounds
        rounding = 1e-15 * (np.abs(self.normals) @ np.abs(parameters) + np.abs(self.bounds))
        return np.where(np.abs(room) <= rounding, 0.0, room)

    def put_on(self, parameters: Array, rows: list[int]) -> Array:
        """The nearest parameters on the bounds `rows`, exactly on those that bound one parameter."""
        if not rows:
            return parameters
        normals, bounds = self.normals[rows], self.bounds[rows]
        parameters = parameters + np.linalg.pinv(normals) @ (bounds - normals @ parameters)
        for normal, bound in zip(normals, bounds, strict=True):
            (which,) = np.nonzero(normal)
            if len(which) == 1:
                parameters[which] = bound / normal[which]
        return parameters

    def put_inside(self, parameters: Array) -> Array:
        """Parameters that violate no bound: `arch` may leave one by what its optimiser tolerates."""
        rows: list[int] = []
        for _ in self.bounds:
            room = self.room(parameters)
            if room.min() >= 0.0:
                break
            rows.append(int(room.argmin()))
            parameters = self.put_on(parameters, rows)
        return parameters

    def and_between(self, low: float, high: float) -> Constraints:
        """These, and `low <= mu <= high`."""
        mu = np.eye(1, self.normals.shape[1])
        return Constraints(np.vstack([self.normals, mu, -mu]), np.append(self.bounds, [low, -high]))


@dataclass(frozen=True)
class Optimum:
    """Where the polishing ended, and what is wrong there, "" where nothing is."""

    estimates: Array
    value: float
    problem: str = ""


@dataclass(frozen=True)
class Ascent:
    """A Newton step, the rows of the constraints that it keeps to, and whether the likelihood is concave along them."""

    step: Array
    gain: float
    concave: bool
    held: tuple[int, ...] = ()


def polish_garch(returns: Array, start: Array) -> Optimum:
    """The maximum of the likelihood of GARCH(1,1), mu, omega, alpha, beta, that is reached from `start`.

    The constraints are those of `arch`: omega at least 1e-8 of the variance, alpha and beta at least zero, persistence
    at most one.
    """
    normals = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, -1, -1]]
    return maximise(partial(garch_likelihood, returns), start, constraints(normals, [least(returns), 0, 0, -1]))


def polish_gjr(returns: Array, start: Array) -> Optimum:
    """The maximum of the likelihood of GJR-GARCH(1,1), mu, omega, alpha, gamma, beta, reached from `start`.

    As in GARCH, with alpha + gamma at least zero and half of gamma in the persistence.
    """
    normals = [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1], [0, 0, -1, -0.5, -1]]
    return maximise(partial(gjr_likelihood, returns), start, constraints(normals, [least(returns), 0, 0, 0, -1]))


def polish_egarch(returns: Array, start: Array) -> Optimum:
    """The maximum of the likelihood of EGARCH(1,1), mu, omega, alpha, gamma, beta, beta between zero and one.

    The likelihood has a kink in mu at every return, and about a quarter of the maxima lie on one: mu is then that
    return, exactly. From a kink-blind approach, the highest of the kinks within a standard error of mu is where the
    climb begins, and after it every other kink that is about as high is climbed from too, until none leads higher.
    """
    normals = constraints([[0, 0, 0, 0, 1], [0, 0, 0, 0, -1]], [0, -1])
    near = maximise(partial(egarch_likelihood, returns), start, normals, NEAR)
    best = climb(returns, max(kinks(returns, near, normals), default=near, key=_value), normals)
    while True:
        rivals = [each for each in kinks(returns, best, normals) if each.value > best.value - RIVAL]
        higher = max((climb(returns, each, normals) for each in rivals), default=best, key=_value)
        if higher.value <= best.value + SLACK * abs(best.value):
            return best
        best = higher


def kinks(returns: Array, optimum: Optimum, limits: Constraints) -> list[Optimum]:
    """Kinks within a standard error of mu that are higher than both of their neighbours, without those next to mu.

    Their value is that of the likelihood where the other parameters have followed mu as a quadratic likelihood would
    have them: with an error of second order.
    """
    here = egarch_likelihood(returns, optimum.estimates)
    if not here.is_finite:
        return []
    mu = np.eye(1, len(here.gradient))
    held = np.vstack([mu, limits.normals[limits.room(optimum.estimates) <= 0.0]])
    tangent = mu[0] + newton(here.hessian[0], here.hessian, held).step
    curvature = -tangent @ here.hessian @ tangent
    if curvature <= 0.0:
        return []
    knots = np.unique(returns)
    distance = knots - optimum.estimates[0]
    near = np.abs(distance) <= 1.0 / np.sqrt(curvature)
    points = [limits.put_inside(optimum.estimates + each * tangent) for each in distance[near]]
    values = np.array([egarch_value(returns, point) for point in points])
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    first, last = np.searchsorted(distance[near], 0.0, "left") - 1, np.searchsorted(distance[near], 0.0, "right")
    return [
        Optimum(point, value)
        for j, (point, value) in enumerate(zip(points, values, strict=True))
        if not first <= j <= last and padded[j] < value > padded[j + 2]
    ]


def climb(returns: Array, start: Optimum, limits: Constraints) -> Optimum:
    """The maximum of EGARCH that is reached from `start` without ever going down.

    Between two neighbouring returns the signs of the residuals are fixed and the likelihood is smooth. Where its
    maximum there lies on one of the two, the cell beyond is next, unless that is where it came from.
    """
    knots = np.unique(returns)
    cell = int(np.clip(np.searchsorted(knots, start.estimates[0], "right"), 1, len(knots) - 1))
    point, before = start, -1
    for _ in range(MAX_CELLS):
        low, high = knots[cell - 1], knots[cell]
        likelihood = partial(egarch_likelihood, returns, sides=np.where(returns >= high, 1.0, -1.0))
        point = maximise(likelihood, point.estimates, limits.and_between(low, high))
        mu = point.estimates[0]
        beyond = int(np.clip(cell + (mu == high) - (mu == low), 1, len(knots) - 1))
        if beyond in (cell, before):
            return point
        before, cell = cell, beyond
    return Optimum(point.estimates, point.value, f"mu still moves after {MAX_CELLS} returns that it has crossed")


def maximise(
    function: Callable[[Array], Likelihood], start: Array, limits: Constraints, tolerance: float = TOLERANCE
) -> Optimum:
    """The maximum of a likelihood within `limits` that Newton steps from `start` lead to."""
    with np.errstate(all="ignore"):  # a step to where nothing is finite is told by what comes back, and halved
        point = limits.put_inside(start)
        here = function(point)
        if not here.is_finite:
            return Optimum(point, -np.inf, "the likelihood is not finite where the polishing starts")
        for _ in range(MAX_STEPS):
            ascent = direction(here, point, limits)
            distance = float(np.sqrt(max(ascent.gain, 0.0)))
            if distance <= tolerance:
                return Optimum(point, here.value, "" if ascent.concave else "the likelihood is not concave there")
            found = advance(function, here, point, ascent, limits)
            if found is None:
                break
            point, here = found
    return Optimum(point, here.value, f"the gradient is still {distance:.1e} standard errors from zero")


def direction(here: Likelihood, point: Array, limits: Constraints) -> Ascent:
    """The Newton step within the bounds that `point` lies on.

    Which of them it keeps to is found by trying all sets of them; there are three at most.
    """
    touching = [int(row) for row in np.flatnonzero(limits.room(point) <= 0.0)]
    best = None
    for size in range(len(touching) + 1):
        for held in combinations(touching, size):
            ascent = newton(here.gradient, here.hessian, limits.normals[list(held)], held)
            others = [row for row in touching if row not in held]
            inside = (limits.normals[others] @ ascent.step >= 0.0).all()
            if inside and (best is None or ascent.gain > best.gain):
                best = ascent
    if best is None:
        raise ArithmeticError("no Newton step stays within the bounds")
    return best


def newton(gradient: Array, hessian: Array, normals: Array, held: tuple[int, ...] = ()) -> Ascent:
    """The Newton step orthogonal to `normals (j, k)`, uphill also where the likelihood is not concave.

    Parameters are brought to one scale by the diagonal of the Hessian; curvatures of the wrong sign are turned round.
    """
    diagonal = np.abs(np.diag(hessian))
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    free = null_space(normals * scale) if len(normals) else np.eye(len(scale))
    if not free.shape[1]:
        return Ascent(np.zeros(len(scale)), 0.0, True, held)
    basis = scale[:, None] * free
    curvatures, vectors = eigh(-basis.T @ hessian @ basis)
    basis = basis @ vectors
    sizes = np.maximum(np.abs(curvatures), FLAT * np.abs(curvatures).max())
    step = basis @ (basis.T @ gradient / sizes)
    return Ascent(step, float(gradient @ step), bool(curvatures.min() > 0.0), held)


def advance(
    function: Callable[[Array], Likelihood], here: Likelihood, point: Array, ascent: Ascent, limits: Constraints
) -> tuple[Array, Likelihood] | None:
    """The point and likelihood after a step, as long as the bounds allow and halved until it leads up; None if never.

    Up is at least a ten-thousandth of what the gradient promises (Armijo), apart from rounding.
    """
    room, along = limits.room(point), limits.normals @ ascent.step
    lengths = np.full(len(room), np.inf)
    ahead = (room > 0.0) & (along < 0.0)
    lengths[ahead] = room[ahead] / -along[ahead]
    length = min(1.0, float(lengths.min()))
    reached = [int(row) for row in np.flatnonzero(lengths <= length)]
    for _ in range(40):
        there = limits.put_on(point + length * ascent.step, [*ascent.held, *reached])
        found = function(there)
        if found.is_finite and found.value >= here.value + 1e-4 * length * ascent.gain - SLACK * abs(here.value):
            return there, found
        length, reached = 0.5 * length, []
    return None


def _value(optimum: Optimum) -> float:
    return optimum.value


def least(returns: Array) -> float:
    """The least omega: 1e-8 of the variance of the returns, as in `arch`."""
    return 1e-8 * float(returns.var())


def constraints(normals: list[list[float]], bounds: list[float]) -> Constraints:
    """Constraints from their rows."""
    return Constraints(np.array(normals, dtype=float), np.array(bounds, dtype=float))
