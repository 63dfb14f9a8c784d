"""Whether the coordinates of an instance, as they are written, are degrees instead of metres. Nothing is converted."""

from collections.abc import Iterable

# Three decimals of a degree are a hundred metres; metres are not written so.
_DEGREE_DECIMALS = 3
_DEGREES_MAX = 180
# A town is no wider in degrees; in metres no work fits into as little.
_TOWN = 5


def are_degrees(places: Iterable[tuple[str, str]]) -> bool:
    """Whether all places of an instance, as written, are latitudes and longitudes, in either order, and not metres.

    They are where they have the decimals that degrees need, or a fraction and lie within one town far from 0.

    Parameters
    ----------
    places
        Pairs of coordinates as they are written.

    Returns
    -------
    bool
        Whether all of them can be latitude and longitude.
    """
    found = list(places)
    if have_decimals_of_degrees(found):
        return True
    points = _points(found)
    if points is None or all(value == int(value) for point in points for value in point):
        return False
    axes = [sorted(axis) for axis in zip(*points, strict=True)]
    return all(axis[-1] - axis[0] <= _TOWN for axis in axes) and any(abs(axis[0]) > _TOWN for axis in axes)


def have_decimals_of_degrees(places: Iterable[tuple[str, str]]) -> bool:
    """Whether some places, as written, lie in the range of degrees and have more decimals than metres are written with.

    Parameters
    ----------
    places
        Pairs of coordinates as they are written.

    Returns
    -------
    bool
        Whether they are written with the decimals of degrees.
    """
    found = list(places)
    most = max((len(value.partition(".")[2]) for place in found for value in place), default=0)
    return most >= _DEGREE_DECIMALS and _points(found) is not None


def _points(places: Iterable[tuple[str, str]]) -> list[tuple[float, float]] | None:
    """Places as numbers; None unless all lie in the range of degrees."""
    try:
        points = [(float(x), float(y)) for x, y in places]
    except ValueError:
        return None  # what is no number is told of its row
    return points if all(abs(value) <= _DEGREES_MAX for point in points for value in point) else None
