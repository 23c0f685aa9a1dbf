"""Colours: one set for a light page, one for a dark one, by the same names.

Entries that have no order are told apart by ``CATEGORIES``. Candidates are coloured by rung, from cold and dark (low)
to warm and bright (high). Lightness goes along with hue, so the order can be seen with any colour vision and in grey.
"""

from dataclasses import dataclass

Stops = tuple[tuple[int, int, int], ...]

_LIGHT_STOPS: Stops = (
    (30, 46, 122),
    (88, 54, 150),
    (160, 48, 128),
    (206, 66, 72),
    (214, 106, 22),
    (196, 136, 0),
)
_DARK_STOPS: Stops = (
    (108, 132, 240),
    (158, 130, 246),
    (222, 120, 206),
    (250, 130, 130),
    (255, 168, 92),
    (250, 212, 90),
)


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a picture, as ``#rrggbb``."""

    ink: str
    soft_ink: str
    faint: str
    paper: str
    stops: Stops

    def ramp(self, count: int) -> list[str]:
        """Give so many candidate colours, for the lowest rung first."""
        if count == 1:
            return [self._at(0.5)]
        return [self._at(i / (count - 1)) for i in range(count)]

    def _at(self, place: float) -> str:
        first = min(int(place * (len(self.stops) - 1)), len(self.stops) - 2)
        share = place * (len(self.stops) - 1) - first
        below, above = self.stops[first], self.stops[first + 1]
        mixed = (round(b + share * (a - b)) for b, a in zip(below, above, strict=True))
        return "#" + "".join(f"{channel:02x}" for channel in mixed)


LIGHT = Theme(ink="#1c2126", soft_ink="#5a6470", faint="#d9dee4", paper="#ffffff", stops=_LIGHT_STOPS)
DARK = Theme(ink="#e9edf1", soft_ink="#a3adb8", faint="#363e47", paper="#14181c", stops=_DARK_STOPS)

CATEGORIES = {
    "#1f5fbf": "#7eb0ff",
    "#c2410c": "#ff9d66",
    "#0f7b53": "#58d6a4",
    "#8b3fb0": "#d59bf5",
    "#8a6100": "#e5c054",
    "#0b7285": "#5fd3e6",
    "#b3193e": "#ff8aa5",
    "#4b5563": "#b8c0cc",
}
"""Colours of what has no order, on a light page and on a dark one; each has a contrast of 4.5 to its page at least."""


def dark_of(count: int) -> dict[str, str]:
    """Map the colours of a light picture of so many candidates to those that a dark page shows instead."""
    named = {getattr(LIGHT, name): getattr(DARK, name) for name in ("ink", "soft_ink", "faint", "paper")}
    return named | dict(zip(LIGHT.ramp(count), DARK.ramp(count), strict=True))
