"""Numbers as people read them: rates, metrics with their spread, percentages, durations."""

import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, Decimal


def value_text(value: float) -> str:
    """Write a hyperparameter as the field does: ``0.1``, ``3e-4``, ``0.9997``, ``27``, never ``1e-05``.

    >>> value_text(0.03), value_text(0.001), value_text(1e-05), value_text(1000.0), value_text(0.0)
    ('0.03', '1e-3', '1e-5', '1000', '0')
    """
    decimal = Decimal(repr(value)).normalize()
    if value == 0 or 0.01 <= abs(value) < 1e5:
        return f"{decimal:f}"
    exponent = decimal.adjusted()
    return f"{decimal.scaleb(-exponent).normalize():f}e{exponent}"


def metric_text(value: float) -> str:
    """Write a metric to four significant digits.

    >>> metric_text(0.37554), metric_text(2.3), metric_text(81.25), metric_text(0.00012345)
    ('0.3755', '2.300', '81.25', '1.234e-4')
    """
    return with_places(value, places_of(value))


def spread_text(mean: float, spread: float | None) -> str:
    """Write a mean and its spread to the same number of decimals; without the spread where there is none.

    >>> spread_text(0.37554, 0.0183), spread_text(12.3456, 0.5), spread_text(0.5, None)
    ('0.3755 ± 0.0183', '12.35 ± 0.50', '0.5000')
    """
    if spread is None:
        return metric_text(mean)
    places = places_of(mean)
    return f"{with_places(mean, places)} ± {with_places(spread, places)}"


def fitted_text(value: float, width: int) -> str:
    """Write a metric to four significant digits, or to as many as fit.

    >>> fitted_text(0.1072, 7), fitted_text(0.009207, 7), fitted_text(7.11e-5, 7), fitted_text(123456.0, 7)
    ('0.1072', '0.00921', '7.11e-5', '1.235e5')
    """
    texts = (
        f"{value:#.{digits}g}".replace("e-0", "e-").replace("e+0", "e").rstrip(".") for digits in (4, 3, 2, 1)
    )
    return next((text for text in texts if len(text) <= width), "…")


def places_of(value: float) -> int | None:
    """Give how many decimals show four significant digits; None where only an exponent would."""
    if value == 0 or not math.isfinite(value):
        return 4
    magnitude = math.floor(math.log10(abs(value)))
    return max(0, 3 - magnitude) if -3 <= magnitude < 6 else None


def with_places(value: float, places: int | None) -> str:
    """Write a number with so many decimals; with an exponent for None."""
    if places is not None or value == 0 or not math.isfinite(value):
        return f"{value:.{places or 0}f}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent_text(fraction: float) -> str:
    """Write a fraction as a percentage to two significant digits, at least: ``4.1 %``, ``0.32 %``, ``85 %``.

    >>> percent_text(0.0412), percent_text(0.0032), percent_text(0.851), percent_text(0.0), percent_text(12.3)
    ('4.1 %', '0.32 %', '85 %', '0 %', '1230 %')
    """
    percent = 100 * fraction
    places = max(0, 1 - math.floor(math.log10(abs(percent)))) if percent else 0
    return f"{percent:.{min(places, 3)}f} %"


def bound_text(fraction: float) -> str:
    """Write what is lost at most as ``percent_text`` does, but rounded up: a bound holds as it is written too.

    >>> bound_text(0.0412), bound_text(0.05), bound_text(0.05003), bound_text(12.301), bound_text(0.0), bound_text(1e30)
    ('4.2 %', '5.0 %', '5.1 %', '1231 %', '0 %', '1e32 %')
    """
    if fraction >= 1000:  # too much to matter, and perhaps to count
        return f"{100 * fraction:.0e} %".replace("e+", "e")
    percent = 100 * Decimal(repr(fraction))
    places = min(max(0, 1 - percent.adjusted()), 3) if percent else 0
    return f"{percent.quantize(Decimal(1).scaleb(-places), ROUND_CEILING):f} %"


def up_text(value: float) -> str:
    """Write an amount to two significant digits, rounded up.

    >>> up_text(0.0121), up_text(0.4), up_text(37.2), up_text(1234.0), up_text(1.2e-7), up_text(0.0)
    ('0.013', '0.40', '38', '1300', '1.2e-7', '0')
    """
    if value == 0:
        return "0"
    exact = Decimal(repr(value))
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), ROUND_CEILING)
    if -4 <= rounded.adjusted() < 6:
        return f"{rounded:f}"
    return f"{rounded:.1e}".replace("e+", "e")


def difference_text(fraction: float, error: float | None, *, of_learned: bool = False) -> str:
    """Write a relative difference and its standard error in per cent, to one decimal so that they align.

    From ten times as bad on it is said in words; of a fraction of what was learned, where it is more than that.

    >>> difference_text(0.0412, 0.0311), difference_text(0.851, None), difference_text(250.073, 0.299)
    ('4.1 ± 3.1 %', '85.1 %', 'more than 10 times as bad')
    >>> difference_text(3.2, 0.1, of_learned=True)
    'more than was learned'
    """
    if of_learned and fraction > 1:
        return "more than was learned"
    if fraction >= 9 and not of_learned:
        return "more than 10 times as bad"
    spread = "" if error is None else f" ± {100 * error:,.1f}" if error < 10 else " ± more than 1000"
    return f"{100 * fraction:,.1f}{spread} %"


def duration_text(seconds: float) -> str:
    """Write a duration in words, as coarse as an estimate of it: ``40 s``, ``12 min``, ``3 h 20 min``.

    >>> duration_text(8.2), duration_text(130), duration_text(3600 * 3 + 1260), duration_text(3600 * 80)
    ('9 s', '3 min', '3 h 30 min', '3 d 8 h')
    """
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    tens = math.ceil(minutes / 10) * 10
    hours, minutes = divmod(tens, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"


def clock_text(seconds: float) -> str:
    """Write elapsed time as ``h:mm:ss``.

    >>> clock_text(3725.9)
    '1:02:05'
    """
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def count_text(count: int, noun: str) -> str:
    """Write a count with its noun, in the plural but for one: ``1 training``, ``3 trainings``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def and_text(words: Iterable[str]) -> str:
    """Write some words as a list.

    >>> and_text(["0.1"]), and_text(["0.1", "0.3"]), and_text(["0.1", "0.3", "1"])
    ('0.1', '0.1 and 0.3', '0.1, 0.3 and 1')
    """
    *front, last = words
    return f"{', '.join(front)} and {last}" if front else last
