"""The linear system of section 2 of the paper: a truth, real data, and a verifier that is a ball."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from .validation import Floats, at_least, finite

_ORTHONORMAL = 1e-8
"""Largest entry of V V^T - I that still counts as rounding."""

_NEVER = 1e-12
"""Below this half width, in noise units, fewer than one label in 10^12 is accepted: no simulation would
end."""


@dataclass(frozen=True, eq=False, init=False)
class LinearSystem:
    """Labels ``y = x^T theta* + xi``, and a verifier that knows a ball around ``theta_c``.

    The verifier says Yes to (x, y) iff ``|y - x^T theta_c| <= radius * ||x|| + sigma_c``.

    Attributes:
        theta_star: The truth, shape ``(p,)``.
        theta_c: The verifier's knowledge center, shape ``(p,)``.
        radius: The verifier's selectivity r, at least 0; smaller accepts fewer.
        sigma: Standard deviation of the label noise.
        sigma_c: The verifier's slack for noise.
        singular_values: Singular values mu of the real design, shape ``(p,)``; along v_j the start model
            theta_0 has standard deviation ``sigma / mu_j``.
        directions: Right singular vectors v_j of the real design as rows, shape ``(p, p)``.
        allow_outside: Whether the ball may miss ``theta_star``.
    """

    theta_star: Floats
    theta_c: Floats
    radius: float
    sigma: float
    sigma_c: float
    singular_values: Floats
    directions: Floats
    allow_outside: bool

    def __init__(
        self,
        theta_star: ArrayLike,
        theta_c: ArrayLike,
        radius: float,
        sigma: float = 1.0,
        sigma_c: float | None = None,
        *,
        singular_values: ArrayLike,
        directions: ArrayLike | None = None,
        allow_outside: bool = False,
    ) -> None:
        """Check and complete the description.

        Args:
            theta_star: As the attribute.
            theta_c: As the attribute.
            radius: As the attribute.
            sigma: As the attribute.
            sigma_c: ``sigma * sqrt(2 / pi)``, the mean of |xi|, when None.
            singular_values: One number for all directions, or shape ``(p,)``.
            directions: The coordinate axes when None.
            allow_outside: As the attribute.

        Raises:
            DomainError: A value is not finite or out of range, shapes do not match, the directions are not
                orthonormal, the ball misses ``theta_star`` without ``allow_outside``, or it is so small that
                no label would ever be accepted.
        """
        star, center = _vector("theta_star", theta_star), _vector("theta_c", theta_c)
        if len(center) != len(star):
            expected = f"{len(star)}, as theta_star has"
            raise DomainError(
                "theta_c does not match theta_star", got=f"{len(center)} entries", expected=expected
            )
        sigma = _scalar("sigma", sigma, strict=True)
        values = at_least("singular_values", singular_values, 0.0, strict=True)
        if values.shape not in ((), star.shape):
            expected = f"one number, or shape {star.shape}"
            raise DomainError("singular_values do not match", got=f"shape {values.shape}", expected=expected)
        resolved = {
            "theta_star": star,
            "theta_c": center,
            "radius": _scalar("radius", radius),
            "sigma": sigma,
            "sigma_c": sigma * math.sqrt(2 / math.pi) if sigma_c is None else _scalar("sigma_c", sigma_c),
            "singular_values": np.array(np.broadcast_to(values, star.shape)),
            "directions": _orthonormal(directions, len(star)),
            "allow_outside": bool(allow_outside),
        }
        for name, value in resolved.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)
        self._check_ball()

    def _check_ball(self) -> None:
        if self.half_width < _NEVER:
            raise DomainError(
                "radius is too small: the verifier would never accept a label",
                got=self.radius,
                expected=f"radius + sigma_c above {_NEVER:g} * sigma",
                fix="raise radius, or give sigma_c",
            )
        excess = self.bias - self.radius
        if not self.allow_outside and excess > 1e-12 * self.bias:
            raise DomainError(
                "the verifier's ball does not contain theta_star",
                got=f"bias {self.bias:.6g}, which is {excess:.6g} more than the radius {self.radius:.6g}",
                expected="||theta_star - theta_c|| <= radius",
                fix="raise radius, or pass --allow-outside (in Python allow_outside=True)",
            )

    @classmethod
    def from_design(
        cls,
        design: ArrayLike,
        *,
        theta_star: ArrayLike,
        theta_c: ArrayLike,
        radius: float,
        sigma: float = 1.0,
        sigma_c: float | None = None,
        allow_outside: bool = False,
    ) -> Self:
        """Return the system whose real covariates are the rows of ``design``.

        Args:
            design: Shape ``(n0, p)``, of full column rank.
            theta_star: As in the constructor.
            theta_c: As in the constructor.
            radius: As in the constructor.
            sigma: As in the constructor.
            sigma_c: As in the constructor.
            allow_outside: As in the constructor.

        Raises:
            DomainError: As the constructor; or ``design`` is not a matrix of full column rank.
        """
        matrix = finite("design", design)
        if matrix.ndim != 2 or matrix.shape[0] < matrix.shape[1]:
            raise DomainError(
                "design has the wrong shape", got=f"shape {matrix.shape}", expected="(n0, p) with n0 >= p"
            )
        _, values, rows = np.linalg.svd(matrix, full_matrices=False)
        if values[-1] <= values[0] * max(matrix.shape) * np.finfo(np.float64).eps:
            raise DomainError(
                "design has linearly dependent columns",
                got=f"rank {np.linalg.matrix_rank(matrix)}",
                expected=f"rank {matrix.shape[1]}",
                fix="drop columns, or add rows",
            )
        return cls(
            theta_star,
            theta_c,
            radius,
            sigma,
            sigma_c,
            singular_values=values,
            directions=rows,
            allow_outside=allow_outside,
        )

    def moved(self, *, bias: float | None = None, radius: float | None = None) -> Self:
        """Return this system with another bias or another radius; the ball may miss the truth.

        Args:
            bias: New ``||theta_star - theta_c||``, along :attr:`bias_direction`.
            radius: New radius.

        Raises:
            DomainError: A value is out of range, or ``bias`` is given and :attr:`bias_direction` is
                undefined.
        """
        center = self.theta_c
        if bias is not None:
            center = self.theta_star + (_scalar("bias", bias) * self.bias_direction if bias else 0.0)
        return type(self)(
            self.theta_star,
            center,
            self.radius if radius is None else radius,
            self.sigma,
            self.sigma_c,
            singular_values=self.singular_values,
            directions=self.directions,
            allow_outside=True,
        )

    @property
    def dimension(self) -> int:
        """Number of coefficients p."""
        return len(self.theta_star)

    @property
    def bias(self) -> float:
        """Delta, the distance ``||theta_star - theta_c||``."""
        return float(np.linalg.norm(self.theta_star - self.theta_c))

    @property
    def bias_direction(self) -> Floats:
        """Unit vector from ``theta_star`` to ``theta_c``, shape ``(p,)``.

        Raises:
            DomainError: The bias is 0, so there is no such direction.
        """
        if self.bias == 0.0:
            raise DomainError(
                "a system without bias has no bias direction", fix="start from one with theta_c != theta_star"
            )
        return (self.theta_c - self.theta_star) / self.bias

    def unit_direction(self, direction: ArrayLike | None = None) -> Floats:
        """Return ``direction`` at length 1, shape ``(p,)``; :attr:`bias_direction` when None.

        Raises:
            DomainError: The vector has the wrong shape or no length, or None was given and the bias is 0.
        """
        if direction is None:
            return self.bias_direction
        vector = finite("direction", direction)
        length = float(np.linalg.norm(vector))
        if vector.shape != self.theta_star.shape or length == 0:
            expected = f"a nonzero vector of shape {self.theta_star.shape}"
            raise DomainError(
                "direction is unusable", got=f"shape {vector.shape}, length {length:g}", expected=expected
            )
        return vector / length

    @property
    def half_width(self) -> float:
        """``b = (radius + sigma_c) / sigma``: labels within b noise units of the center are accepted."""
        return (self.radius + self.sigma_c) / self.sigma

    @property
    def offsets(self) -> Floats:
        """``v_j^T (theta_c - theta_star) / sigma``, shape ``(p,)``."""
        return self.directions @ (self.theta_c - self.theta_star) / self.sigma

    @property
    def spreads(self) -> Floats:
        """Noise-unit standard deviations ``1 / mu_j`` of the start model along each v_j, shape ``(p,)``."""
        return 1.0 / self.singular_values

    @property
    def baseline(self) -> float:
        """``E ||theta_0 - theta_star||^2 = sigma^2 sum_j 1 / mu_j^2``, the error without retraining."""
        return self.sigma**2 * float(np.sum(self.spreads**2))


def _scalar(name: str, value: float, *, strict: bool = False) -> float:
    number = at_least(name, value, 0.0, strict=strict)
    if number.ndim:
        raise DomainError(f"{name} is not a single number", got=f"shape {number.shape}", expected="a number")
    return float(number)


def _vector(name: str, value: ArrayLike) -> Floats:
    array = np.array(finite(name, value))
    if array.ndim != 1 or array.size == 0:
        raise DomainError(f"{name} is not a vector", got=f"shape {array.shape}", expected="(p,)")
    return array


def _orthonormal(directions: ArrayLike | None, size: int) -> Floats:
    if directions is None:
        return np.eye(size)
    rows = np.array(finite("directions", directions))
    if rows.shape != (size, size):
        raise DomainError(
            "directions do not match theta_star", got=f"shape {rows.shape}", expected=f"({size}, {size})"
        )
    defect = float(np.abs(rows @ rows.T - np.eye(size)).max())
    if defect > _ORTHONORMAL:
        raise DomainError(
            "directions are not orthonormal",
            got=f"V V^T off the identity by {defect:.3g}",
            expected=f"at most {_ORTHONORMAL:g}",
            fix="pass the right singular vectors as rows, or use LinearSystem.from_design",
        )
    return rows
