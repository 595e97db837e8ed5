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
from likelihood import Likelihood, egarch_likelihood, garch_likelihood, gjr_likelihood
from numpy.typing import NDArray
from scipy.linalg import eigh, null_space

Array = NDArray[np.float64]

TOLERANCE = 1e-10
"""Standard errors from the maximum at which it is reached: forecasts are then the same within 1e-11."""
MAX_STEPS = 60
"""Newton steps before a maximum counts as not reached; from estimates of `arch` it takes about four."""
NEAR = 0.1
"""Standard errors within which an EGARCH is put before its kinks are looked at."""
RIVAL = 0.02
"""How much lower the log-likelihood may be where another peak of EGARCH is climbed to."""
MAX_CELLS = 200
"""Kinks that one climb of EGARCH may cross."""
HALVINGS = 20
"""How often a step is halved before there is no way up."""
FLAT = 1e-8
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


def polish_garch(returns: Array, starts: list[Array]) -> Optimum:
    """The highest maximum of the likelihood of GARCH(1,1), mu, omega, alpha, beta, that `starts` lead to.

    The constraints are those of `arch`: omega at least 1e-8 of the variance, alpha and beta at least zero, persistence
    at most one.
    """
    normals = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, -1, -1]]
    limits = constraints(normals, [least(returns), 0, 0, -1])
    return highest([maximise(partial(garch_likelihood, returns), start, limits) for start in starts])


def polish_gjr(returns: Array, starts: list[Array]) -> Optimum:
    """The highest maximum of the likelihood of GJR-GARCH(1,1), mu, omega, alpha, gamma, beta, that `starts` lead to.

    The constraints are as in GARCH, with alpha + gamma at least zero and half of gamma in the persistence; alpha is at
    most one and gamma at least minus one.
    """
    positive = [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
    normals = [*positive, [0, 0, -1, -0.5, -1], [0, 0, -1, 0, 0], [0, 0, 0, 1, 0]]
    limits = constraints(normals, [least(returns), 0, 0, 0, -1, -1, -1])
    return highest([maximise(partial(gjr_likelihood, returns), start, limits) for start in starts])


def polish_egarch(returns: Array, starts: list[Array]) -> Optimum:
    """The highest maximum of the likelihood of EGARCH(1,1), mu, omega, alpha, gamma, beta, that `starts` lead to.

    Beta is between zero and one. |z| puts a kink in mu at every return, dozens within a standard error, so that a
    maximum may lie on one, where mu is that return exactly, and another may be next to it. So the starts lead near the
    highest by steps that know no kinks; from there the likelihood is climbed from kink to kink, and again from every
    other peak near by that is about as high, until none leads higher.
    """
    limits = constraints([[0, 0, 0, 0, 1], [0, 0, 0, 0, -1]], [0, -1])
    near = [maximise(partial(egarch_likelihood, returns), start, limits, NEAR) for start in starts]
    best = climb(returns, highest(near).estimates, limits)
    while True:
        higher = highest([best, *(climb(returns, peak, limits) for peak in peaks(returns, best, limits))])
        if not higher.value > best.value + SLACK * abs(best.value):  # so that it ends on what is not finite too
            return best
        best = higher


def highest(optima: list[Optimum]) -> Optimum:
    """The highest of those that are maxima; of all where none is, since a slope that does not end is no estimate."""
    return max(optima, key=lambda optimum: (not optimum.problem, optimum.value))


@np.errstate(all="ignore")  # a point that is not finite has no slope, and so no turn
def peaks(returns: Array, optimum: Optimum, limits: Constraints) -> list[Array]:
    """Where to climb from to other peaks of EGARCH that are perhaps as high as `optimum`.

    They are looked for within half a standard error of mu. Seen are the kinks, with the slopes on both sides, where the
    other parameters follow mu as they would on a quadratic likelihood. A peak is on a kink or between two, wherever the
    slope turns from up to down.
    """
    here = egarch_likelihood(returns, optimum.estimates)
    if not here.is_finite:
        return []
    towards_mu = np.eye(1, len(here.gradient))
    held = np.vstack([towards_mu, limits.normals[limits.room(optimum.estimates) <= 0.0]])
    tangent = towards_mu[0] + newton(here.hessian[0], here.hessian, held).step
    error = 1.0 / np.sqrt(max(-tangent @ here.hessian @ tangent, 1.0 / returns.var()))
    mu = optimum.estimates[0]
    knots = np.unique(returns)
    knots = knots[np.abs(knots - mu) <= 0.5 * error]
    points = [limits.put_inside(optimum.estimates + (knot - mu) * tangent) for knot in knots]
    found = [egarch_likelihood(returns, point) for point in points]
    slopes = np.array([each.gradient @ tangent + side * each.kink for each in found for side in (-1.0, 1.0)])
    turns = np.flatnonzero((slopes[:-1] >= 0.0) & (slopes[1:] <= 0.0))  # even: on a kink, odd: right of it
    return [
        points[turn // 2]
        for turn in turns
        if not knots[turn // 2] <= mu <= knots[(turn + 1) // 2] and found[turn // 2].value > optimum.value - RIVAL
    ]


def climb(returns: Array, start: Array, limits: Constraints) -> Optimum:
    """The maximum of the likelihood of EGARCH that is reached from `start` without ever going down.

    Between two neighbouring returns the signs of the residuals are fixed and the likelihood is smooth. Where its
    maximum there lies on one of the two, the cell beyond is next, unless that is where it came from.
    """
    knots = np.unique(returns)
    if len(knots) < 2:
        return Optimum(start, -np.inf, "all returns are the same")
    point = limits.put_inside(start)
    cell, before = int(np.clip(np.searchsorted(knots, point[0], "right"), 1, len(knots) - 1)), -1
    for _ in range(MAX_CELLS):
        low, high = knots[cell - 1], knots[cell]
        likelihood = partial(egarch_likelihood, returns, sides=np.where(returns >= high, 1.0, -1.0))
        found = maximise(likelihood, point, limits.and_between(low, high))
        point = found.estimates
        beyond = int(np.clip(cell + (point[0] == high) - (point[0] == low), 1, len(knots) - 1))
        if beyond in (cell, before):
            return found
        before, cell = cell, beyond
    return Optimum(point, found.value, f"mu still moves after {MAX_CELLS} returns that it has crossed")


def maximise(
    function: Callable[[Array], Likelihood], start: Array, limits: Constraints, tolerance: float = TOLERANCE
) -> Optimum:
    """The maximum of a likelihood within `limits` that Newton steps from `start` lead to."""
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

    Which of them it keeps to is found by trying all sets of them; there are rarely more than two.
    """
    touching = [int(row) for row in np.flatnonzero(limits.room(point) <= 0.0)]
    ascents = []
    for size in range(len(touching) + 1):
        for held in combinations(touching, size):
            ascent = newton(here.gradient, here.hessian, limits.normals[list(held)], held)
            others = [row for row in touching if row not in held]
            if (limits.normals[others] @ ascent.step >= 0.0).all():  # always so where it keeps to all of them
                ascents.append(ascent)
    return max(ascents, key=lambda ascent: ascent.gain)


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
    for _ in range(HALVINGS):
        there = limits.put_on(point + length * ascent.step, [*ascent.held, *reached])
        found = function(there)
        if found.is_finite and found.value >= here.value + 1e-4 * length * ascent.gain - SLACK * abs(here.value):
            return there, found
        length, reached = 0.5 * length, []
    return None


def least(returns: Array) -> float:
    """The least omega: 1e-8 of the variance of the returns, as in `arch`."""
    return 1e-8 * float(returns.var())


def constraints(normals: list[list[float]], bounds: list[float]) -> Constraints:
    """Constraints from their rows."""
    return Constraints(np.array(normals, dtype=float), np.array(bounds, dtype=float))
