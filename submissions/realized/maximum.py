"""The maximum of a smooth log-likelihood under linear constraints, as exactly as its rounding allows.

Sequential quadratic programming leads near it from several starts; Newton steps finish, with gradients from the model
and curvatures by their central differences. An error in a curvature costs a step more, not accuracy: where a maximum
lies is told by the gradient. Distances are in standard errors, the Newton decrement (Boyd and Vandenberghe 2004, Convex
Optimization, section 9.5.1) over the directions that the constraints leave free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, null_space
from scipy.optimize import LinearConstraint, minimize

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]
"""Parameters `(k,)` to a log-likelihood, minus infinity where there is none, and its gradient `(k,)`."""

TOLERANCE = 1e-10
"""Standard errors from the maximum at which it is reached."""
ROUNDED = 1e-7
"""Standard errors within which a maximum counts as reached where rounding lets no step come nearer."""
MAX_STEPS = 50
TOUCHING = 1e-7
"""How near a bound counts as on it at first; a bound that holds back nothing is let go again."""
DIFFERENCE = 1e-5
"""Relative step of the central differences, of a parameter that counts as a hundredth at least."""
FLAT = 1e-8
"""What part of the largest curvature a direction has at least: a step along a flat one stays finite."""
SURE = 1e-2
"""Standard errors within which a whole Newton step is taken without looking whether it leads up."""


@dataclass(frozen=True)
class Region:
    """`normals (m, k) @ parameters >= bounds (m,)`."""

    normals: Array
    bounds: Array

    @classmethod
    def of(cls, *rows: tuple[ArrayLike, float]) -> Region:
        """Return the region of pairs of a normal `(k,)` and its bound."""
        return cls(np.array([row for row, _ in rows], dtype=float), np.array([bound for _, bound in rows], dtype=float))

    def room(self, point: Array) -> Array:
        """Return how far inside the bounds a point is, `(m,)`."""
        return self.normals @ point - self.bounds

    def put_on(self, point: Array, rows: Sequence[int]) -> Array:
        """Return the nearest point on the bounds `rows`."""
        normals, bounds = self.normals[list(rows)], self.bounds[list(rows)]
        return point + np.linalg.pinv(normals) @ (bounds - normals @ point) if len(rows) else point


@dataclass(frozen=True)
class Optimum:
    """Where the search ended, the value there, and what is wrong with it, "" where nothing is."""

    estimates: Array
    value: float
    problem: str = ""


@dataclass(frozen=True)
class Step:
    """A Newton step, its length in standard errors, the bounds that it keeps to, and whether it climbs a hill."""

    move: Array
    distance: float
    held: tuple[int, ...]
    concave: bool


def maximise(function: Function, starts: Sequence[Array], region: Region) -> Optimum:
    """Return the highest maximum that `starts` lead to; where none is reached, the highest point with its problem.

    Starts lead to within a few thousandths of the likelihood at a maximum, so that the highest is finished alone, and
    the next only where that fails.
    """
    with np.errstate(all="ignore"):  # what is not finite is told by the value
        points = [approach(function, start, region) for start in starts]
        points.sort(key=lambda point: function(point)[0], reverse=True)
        failed = []
        for point in points:
            found = polish(function, point, region)
            if not found.problem:
                return found
            failed.append(found)
    return max(failed, key=lambda optimum: optimum.value)


def approach(function: Function, start: Array, region: Region) -> Array:
    """Return a point near a maximum, or `start` where the optimiser found none that is higher."""
    scale = np.maximum(np.abs(start), 0.05)
    first = function(start)[0]
    size = max(abs(first), 1.0) if np.isfinite(first) else 1.0

    def falling(scaled: Array) -> tuple[float, Array]:
        value, gradient = function(scaled * scale)
        good = np.isfinite(value) and np.isfinite(gradient).all()
        return (-value / size, -gradient * scale / size) if good else (1e6, np.zeros_like(scaled))

    bounds = LinearConstraint(region.normals * scale, region.bounds, np.inf)
    result = minimize(
        falling, start / scale, jac=True, method="SLSQP", constraints=[bounds], options={"maxiter": 300, "ftol": 1e-10}
    )
    point = inside(result.x * scale, region)
    return point if function(point)[0] > first or not np.isfinite(first) else start


def polish(function: Function, point: Array, region: Region) -> Optimum:
    """Return the maximum that Newton steps from `point` lead to."""
    touching = tuple(np.flatnonzero(region.room(point) <= TOUCHING))
    point, nearest = region.put_on(point, touching), np.inf
    value, gradient = function(point)
    for _ in range(MAX_STEPS):
        hessian = curvature(function, point)
        if not (np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(hessian).all()):
            return Optimum(point, -np.inf, "the likelihood is not finite")
        step = direction(gradient, hessian, region, touching)
        stuck = step.distance < ROUNDED and step.distance > 0.5 * nearest
        if step.distance <= TOLERANCE or stuck:
            return Optimum(point, value, "" if step.concave else "the likelihood is not concave at its end")
        nearest = step.distance
        point, touching = advance(function, point, value, step, region)
        value, gradient = function(point)
    return Optimum(point, value, f"the gradient is still {nearest:.1e} standard errors from zero")


def curvature(function: Function, point: Array) -> Array:
    """Return the Hessian `(k, k)` by central differences of the gradient."""
    steps = np.diag(DIFFERENCE * np.maximum(np.abs(point), 1e-2))
    rows = [(function(point + step)[1] - function(point - step)[1]) / (2.0 * step.sum()) for step in steps]
    hessian = np.array(rows)
    return 0.5 * (hessian + hessian.T)


def direction(gradient: Array, hessian: Array, region: Region, touching: Sequence[int]) -> Step:
    """Return the Newton step along the bounds `touching`, without those that the likelihood pulls away from."""
    held = list(touching)
    while True:
        step = newton(gradient, hessian, region.normals[held])
        if not held:
            return Step(*step, (), concave=step_is_up(hessian, region.normals[held]))
        forces = np.linalg.lstsq(region.normals[held].T, -(gradient + hessian @ step[0]))[0]
        if forces.min() >= 0.0:
            return Step(*step, tuple(held), concave=step_is_up(hessian, region.normals[held]))
        del held[int(forces.argmin())]


def newton(gradient: Array, hessian: Array, normals: Array) -> tuple[Array, float]:
    """Return the step orthogonal to `normals (j, k)`, uphill also where the surface is not concave, and its length."""
    basis = free_directions(hessian, normals)
    if not basis.shape[1]:
        return np.zeros_like(gradient), 0.0
    curvatures, vectors = eigh(-basis.T @ hessian @ basis)
    basis = basis @ vectors
    slope = basis.T @ gradient
    sizes = np.maximum(np.abs(curvatures), FLAT * np.abs(curvatures).max())
    return basis @ (slope / sizes), float(np.sqrt(np.sum(slope**2 / sizes)))


def step_is_up(hessian: Array, normals: Array) -> bool:
    """Return whether the surface is concave along the directions that `normals` leave free."""
    basis = free_directions(hessian, normals)
    return not basis.shape[1] or bool(eigh(-basis.T @ hessian @ basis, eigvals_only=True).min() > 0.0)


def free_directions(hessian: Array, normals: Array) -> Array:
    """Return directions `(k, j)` orthogonal to `normals`, with parameters brought to one scale by their curvature."""
    diagonal = np.abs(np.diag(hessian))
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    return scale[:, None] * (null_space(normals * scale) if len(normals) else np.eye(len(scale)))


def advance(
    function: Function, point: Array, value: float, step: Step, region: Region
) -> tuple[Array, tuple[int, ...]]:
    """Return the point after a step, halved until it leads up, and the bounds that the point is then on."""
    room, along = region.room(point), region.normals @ step.move
    lengths = np.full(len(room), np.inf)
    ahead = [row for row in np.flatnonzero(along < 0.0) if row not in step.held]
    lengths[ahead] = np.maximum(room[ahead], 0.0) / -along[ahead]
    length = min(1.0, float(lengths.min(initial=np.inf)))
    reached = tuple(int(row) for row in ahead if lengths[row] <= length)
    while True:
        touching = (*step.held, *reached)
        there = region.put_on(point + length * step.move, touching)
        if step.distance <= SURE or length < 1e-6 or function(there)[0] >= value:
            return there, touching
        length, reached = 0.5 * length, ()


def inside(point: Array, region: Region) -> Array:
    """Return a point that violates no bound: the optimiser may leave one by what it tolerates."""
    rows: list[int] = []
    for _ in region.bounds:
        if region.room(point).min() >= 0.0:
            break
        rows.append(int(region.room(point).argmin()))
        point = region.put_on(point, rows)
    return point
