"""Exact quantities: milli-points, fen, seconds, metres. Decimals live at the parsing border only.

A score is an int of milli-points (70 points = 70 000 mp), money an int of fen, an instant an int64 of
microseconds UTC, a share an int of per-mille. Nothing here accepts a float.
"""

from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow

MP_PER_POINT = 1_000
MP_PER_TENTH = 100
FEN_PER_YUAN = 100
US_PER_S = 1_000_000
US_PER_DAY = 86_400 * US_PER_S
PERMILLE = 1_000
# The default context rounds to 28 digits in silence: 1.000…0001 would pass as 1.
_EXACTLY = Context(prec=100, Emax=100, Emin=-100, traps=[Inexact, Overflow, InvalidOperation])


def exact(value: Decimal | int, scale: int) -> int:
    """`value` × `scale` as an int; both must meet exactly.

    Raises
    ------
    ValueError
        If the product is not whole (more decimals than the unit holds) or `value` is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(f"expected int or Decimal, got {type(value).__name__}")
    if isinstance(value, int):
        return value * scale
    try:
        product = _EXACTLY.multiply(value, Decimal(scale))
    except DecimalException:
        raise ValueError(f"{value} is not a whole number of 1/{scale}") from None
    if not product.is_finite() or product != product.to_integral_value():
        raise ValueError(f"{value} is not a whole number of 1/{scale}")
    return int(product)


def decimal_text(value: int, scale: int) -> str:
    """An exact quantity as people write it: `decimal_text(75_100, 1_000)` is `75.1`.

    Parameters
    ----------
    value
        The exact quantity, in 1/`scale`.
    scale
        A power of ten.

    Returns
    -------
    str
        No zeros at the end of the decimals.
    """
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), scale)
    if rest == 0:
        return f"{sign}{whole}"
    width = len(str(scale)) - 1
    return f"{sign}{whole}.{str(rest).rjust(width, '0').rstrip('0')}"


def points_text(points_mp: int) -> str:
    """Milli-points as points, with as many decimals as needed.

    Parameters
    ----------
    points_mp
        Milli-points.

    Returns
    -------
    str
        Such as `70.125`; negative with a hyphen.
    """
    return decimal_text(points_mp, MP_PER_POINT)


def signed_points_text(points_mp: int) -> str:
    """Milli-points as points with a sign: `+0.2`, `−1` (U+2212), `0`.

    Parameters
    ----------
    points_mp
        Milli-points.

    Returns
    -------
    str
        The minus is U+2212.
    """
    if points_mp == 0:
        return "0"
    return ("+" if points_mp > 0 else "−") + points_text(abs(points_mp))


def tenths_of(points_mp: int) -> int:
    """Milli-points as tenths of a point, the nearest; a half goes up."""
    return (points_mp + MP_PER_TENTH // 2) // MP_PER_TENTH


def shown_points(points_mp: int) -> str:
    """A score as riders read it: one decimal, `70.3`; none where it would be 0, `70`.

    Parameters
    ----------
    points_mp
        Milli-points.

    Returns
    -------
    str
        Such as `70.3`.
    """
    return decimal_text(tenths_of(points_mp), 10)


def shown_change(before_mp: int, after_mp: int) -> int:
    """What riders read as the change between two scores, in tenths of a point.

    It is the difference of the two scores as they are shown. So what is shown adds up: before + change = after, and the
    changes of a day are the day's change. It is less than 0.1 from the exact change and never of the other sign.

    Parameters
    ----------
    before_mp
        Score before, in milli-points.
    after_mp
        Score after.

    Returns
    -------
    int
        Tenths of a point.
    """
    return tenths_of(after_mp) - tenths_of(before_mp)


def yuan_text(money_fen: int) -> str:
    """Fen as yuan with two decimals: 350 → `3.50`.

    Parameters
    ----------
    money_fen
        Fen; negative takes.

    Returns
    -------
    str
        Always two decimals.
    """
    sign = "-" if money_fen < 0 else ""
    return f"{sign}{abs(money_fen) // FEN_PER_YUAN}.{abs(money_fen) % FEN_PER_YUAN:02d}"
