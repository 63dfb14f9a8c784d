"""How long it takes from place to place: straight line in the plane, great circle with a detour, or a given matrix.

A place is an index into the coordinates (or the matrix) the travel was made with. Nothing here knows orders or
riders. Source of the speed limit: GB/T 46862-2025, 7.4.4 (e-bikes, average at most 15 km/h).

Invariant: every time is a whole number of seconds, rounded up, and zero from a place to itself.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dispatch.arrays import Ints, Seconds
from rules.compiled import compiled_with_runtime

EBIKE_KM_PER_HOUR_MAX = 15.0
EARTH_RADIUS_M = 6_371_000.0

Coordinates = npt.NDArray[np.float64]


class Travel(Protocol):
    """Seconds between places by index."""

    @property
    def num_places(self) -> int:
        """How many places there are."""

    def table(self, origins: Ints, destinations: Ints) -> Seconds:
        """Return seconds, int32 (origins, destinations)."""

    def pairs(self, origins: Ints, destinations: Ints) -> Ints:
        """Return seconds from each origin to the destination at the same position, int64."""

    def nearest(self, origins: Ints, destinations: Ints, width: int) -> Ints:
        """Return for each destination the positions in `origins` of its `width` nearest, nearest first.

        int64 (destinations, min(width, origins)).
        """


def _checked(coordinates: Coordinates) -> Coordinates:
    points = np.ascontiguousarray(coordinates, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"coordinates have shape {points.shape}: use (places, 2)")
    if not np.isfinite(points).all():
        raise ValueError("coordinates hold a value that is not finite")
    return points


def _check_speed(km_per_hour: float, other_vehicle: bool) -> None:
    if km_per_hour > EBIKE_KM_PER_HOUR_MAX and not other_vehicle:
        raise ValueError(
            f"{km_per_hour:g} km/h: GB/T 46862-2025 7.4.4 allows an e-bike {EBIKE_KM_PER_HOUR_MAX:g}; "
            "say other_vehicle=True for another vehicle"
        )


@dataclass(frozen=True, slots=True)
class PlanarTravel:
    """Straight line in the plane at one speed, rounded up to whole `step_s` (60: the rule of the benchmark).

    ``points_m`` float64 (places, 2) in metres. A speed above the standard's needs `other_vehicle`.
    """

    points_m: Coordinates
    metres_per_minute: float
    step_s: int = 60
    other_vehicle: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_m", _checked(self.points_m))
        if not self.metres_per_minute > 0 or not np.isfinite(self.metres_per_minute):
            raise ValueError(f"metres_per_minute = {self.metres_per_minute}: use a speed above 0")
        _check_speed(self.metres_per_minute * 60 / 1000, self.other_vehicle)
        if self.step_s < 1 or 60 % self.step_s:
            raise ValueError(f"step_s = {self.step_s}: use a divisor of 60")

    @property
    def num_places(self) -> int:
        """How many places there are."""
        return len(self.points_m)

    def table(self, origins: Ints, destinations: Ints) -> Seconds:
        """Return seconds, int32 (origins, destinations)."""
        steps_a_minute = 60 // self.step_s
        metres_a_step = self.metres_per_minute / steps_a_minute
        return _planar_table(self.points_m[origins], self.points_m[destinations], metres_a_step, self.step_s)

    def pairs(self, origins: Ints, destinations: Ints) -> Ints:
        """Return seconds pair by pair, int64."""
        gaps = self.points_m[origins] - self.points_m[destinations]
        metres = np.sqrt(gaps[:, 0] ** 2 + gaps[:, 1] ** 2)
        steps = np.ceil(metres / (self.metres_per_minute / (60 // self.step_s)))
        return steps.astype(np.int64) * self.step_s

    def nearest(self, origins: Ints, destinations: Ints, width: int) -> Ints:
        """Return the nearest origins by straight line."""
        return _nearest(self.points_m[origins], self.points_m[destinations], min(width, len(origins)))


@dataclass(frozen=True, slots=True)
class GreatCircleTravel:
    """Great circle times a detour factor at a constant speed, rounded up to whole seconds.

    Parameters
    ----------
    degrees
        float64 (places, 2): latitude, longitude.
    km_per_hour
        Constant speed; above the standard's it needs `other_vehicle`.
    detour
        Road metres a straight metre, 1 … 10.
    other_vehicle
        Whether it is no e-bike.
    """

    degrees: Coordinates
    km_per_hour: float = EBIKE_KM_PER_HOUR_MAX
    detour: float = 1.3
    other_vehicle: bool = False
    _unit: Coordinates = field(init=False, repr=False, default_factory=lambda: np.empty((0, 3)))

    def __post_init__(self) -> None:
        points = _checked(self.degrees)
        if (np.abs(points[:, 0]) > 90).any() or (np.abs(points[:, 1]) > 180).any():
            raise ValueError("degrees outside latitude -90..90, longitude -180..180")
        if not 0 < self.km_per_hour < 1000:
            raise ValueError(f"km_per_hour = {self.km_per_hour}: use a speed above 0")
        _check_speed(self.km_per_hour, self.other_vehicle)
        if not 1 <= self.detour < 10:
            raise ValueError(f"detour = {self.detour}: use a factor of at least 1")
        latitude, longitude = np.radians(points[:, 0]), np.radians(points[:, 1])
        unit = np.column_stack(
            (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
        )
        object.__setattr__(self, "degrees", points)
        object.__setattr__(self, "_unit", np.ascontiguousarray(unit))

    @property
    def num_places(self) -> int:
        """How many places there are."""
        return len(self.degrees)

    def table(self, origins: Ints, destinations: Ints) -> Seconds:
        """Return seconds, int32 (origins, destinations)."""
        seconds_a_radian = EARTH_RADIUS_M * self.detour * 3.6 / self.km_per_hour
        return _sphere_table(self._unit[origins], self._unit[destinations], seconds_a_radian)

    def pairs(self, origins: Ints, destinations: Ints) -> Ints:
        """Return seconds pair by pair, int64."""
        chord = np.sqrt(((self._unit[origins] - self._unit[destinations]) ** 2).sum(axis=1))
        seconds_a_radian = EARTH_RADIUS_M * self.detour * 3.6 / self.km_per_hour
        angle = 2.0 * np.arcsin(np.minimum(1.0, chord / 2.0))
        return np.asarray(np.ceil(angle * seconds_a_radian), np.int64)

    def nearest(self, origins: Ints, destinations: Ints, width: int) -> Ints:
        """Return the nearest origins by chord, which orders as the great circle does."""
        return _nearest(self._unit[origins], self._unit[destinations], min(width, len(origins)))


@dataclass(frozen=True, slots=True)
class MatrixTravel:
    """Times as given: ``seconds`` int (places, places), whole and not negative, zero on the diagonal.

    Parameters
    ----------
    seconds
        int (places, places), whole and not negative, zero on the diagonal.
    """

    seconds: Seconds

    def __post_init__(self) -> None:
        given = np.asarray(self.seconds)
        if given.ndim != 2 or given.shape[0] != given.shape[1]:
            raise ValueError(f"seconds have shape {given.shape}: use (places, places)")
        if not np.issubdtype(given.dtype, np.integer):
            raise ValueError(f"seconds are {given.dtype}: use whole seconds")
        if (given < 0).any() or np.diagonal(given).any():
            raise ValueError("seconds hold a negative time, or a time from a place to itself")
        object.__setattr__(self, "seconds", np.ascontiguousarray(given, dtype=np.int32))

    @property
    def num_places(self) -> int:
        """How many places there are."""
        return len(self.seconds)

    def table(self, origins: Ints, destinations: Ints) -> Seconds:
        """Return seconds, int32 (origins, destinations)."""
        return np.ascontiguousarray(self.seconds[np.ix_(origins, destinations)])

    def pairs(self, origins: Ints, destinations: Ints) -> Ints:
        """Return seconds pair by pair, int64."""
        return self.seconds[origins, destinations].astype(np.int64)

    def nearest(self, origins: Ints, destinations: Ints, width: int) -> Ints:
        """Return the origins of the shortest times."""
        ranked = np.argsort(self.seconds[np.ix_(origins, destinations)], axis=0, kind="stable")
        return np.ascontiguousarray(ranked[: min(width, len(origins))].T.astype(np.int64))


@compiled_with_runtime()
def _planar_table(origins: Coordinates, destinations: Coordinates, metres_a_step: float, step_s: int) -> Seconds:
    table = np.empty((origins.shape[0], destinations.shape[0]), np.int32)
    for i in range(origins.shape[0]):
        for j in range(destinations.shape[0]):
            dx = origins[i, 0] - destinations[j, 0]
            dy = origins[i, 1] - destinations[j, 1]
            table[i, j] = np.int32(np.ceil(np.sqrt(dx * dx + dy * dy) / metres_a_step)) * step_s
    return table


@compiled_with_runtime()
def _sphere_table(origins: Coordinates, destinations: Coordinates, seconds_a_radian: float) -> Seconds:
    table = np.empty((origins.shape[0], destinations.shape[0]), np.int32)
    for i in range(origins.shape[0]):
        for j in range(destinations.shape[0]):
            chord2 = 0.0
            for k in range(3):
                chord2 += (origins[i, k] - destinations[j, k]) ** 2
            angle = 2.0 * np.arcsin(min(1.0, np.sqrt(chord2) / 2.0))
            table[i, j] = np.int32(np.ceil(angle * seconds_a_radian))
    return table


@compiled_with_runtime()
def _nearest(origins: Coordinates, destinations: Coordinates, width: int) -> Ints:
    """Return the `width` nearest origins of each destination by squared distance, ties by position."""
    found = np.empty((destinations.shape[0], width), np.int64)
    gaps = np.empty(width, np.float64)
    dimensions = origins.shape[1]
    for i in range(destinations.shape[0]):
        filled = 0
        for j in range(origins.shape[0]):
            gap = 0.0
            for k in range(dimensions):
                gap += (origins[j, k] - destinations[i, k]) ** 2
            if filled == width and gap >= gaps[width - 1]:
                continue
            at = filled if filled < width else width - 1
            while at > 0 and gaps[at - 1] > gap:
                gaps[at] = gaps[at - 1]
                found[i, at] = found[i, at - 1]
                at -= 1
            gaps[at] = gap
            found[i, at] = j
            if filled < width:
                filled += 1
    return found


@dataclass(frozen=True, slots=True)
class SlowedTravel:
    """Another travel made slower by weather: times by `per_mille` (1000 and more), rounded up to whole seconds."""

    inner: Travel
    per_mille: int

    def __post_init__(self) -> None:
        if self.per_mille < 1000:
            raise ValueError(f"per_mille = {self.per_mille}: weather adds time, use at least 1000")

    @property
    def num_places(self) -> int:
        """How many places there are."""
        return self.inner.num_places

    def table(self, origins: Ints, destinations: Ints) -> Seconds:
        """Return seconds, int32 (origins, destinations)."""
        seconds = self.inner.table(origins, destinations).astype(np.int64)
        return (-(-seconds * self.per_mille // 1000)).astype(np.int32)

    def pairs(self, origins: Ints, destinations: Ints) -> Ints:
        """Return seconds pair by pair, int64."""
        return -(-self.inner.pairs(origins, destinations) * self.per_mille // 1000)

    def nearest(self, origins: Ints, destinations: Ints, width: int) -> Ints:
        """Return the nearest origins, which slowing does not change."""
        return self.inner.nearest(origins, destinations, width)
