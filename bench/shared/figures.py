"""Numbers and how they are written: medians, what is around them, ratios, a plot."""

import html
import math


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(value, unit):
    """Three digits that count: 0.0412×, 1.53×, 48×."""
    share = value / unit
    if share == 0:
        return "0×"
    digits = max(0, 2 - math.floor(math.log10(abs(share))))
    return f"{share:.{digits}f}×"


def spread(values, unit):
    """The p50, and p10 to p90, as ratios to `unit`."""
    low, mid, high = (percentile(values, share) for share in (0.1, 0.5, 0.9))
    return f"{ratio(mid, unit)} | {ratio(low, unit)}–{ratio(high, unit)}"


def markdown_table(head, rows):
    """First column to the left, numbers to the right."""
    lines = [f"| {' | '.join(head)} |", "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines)


class Plot:
    """Two pictures in one SVG: what one run takes, and runs a second by how many at once."""

    WIDTH, LEFT, RIGHT, LINE = 720, 230, 70, 22
    COLOURS = ("#666666", "#1f6fb2", "#c2571a", "#2d8a4e")

    def __init__(self):
        self._parts = []
        self._height = 20

    def _text(self, x, y, text, anchor="start", weight="normal"):
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(text)}</text>'
        )

    def _line(self, x1, y1, x2, y2, colour, width=1.0):
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'
        )

    def _title(self, title):
        self._text(10, self._height + 10, title, weight="bold")
        self._height += 26

    def bars(self, title, rows):
        """`rows`: name, p10, p50, p90; on a scale of powers of ten."""
        self._title(title)
        low = math.floor(math.log10(min(row[1] for row in rows)))
        high = math.ceil(math.log10(max(row[3] for row in rows)))
        high = max(high, low + 1)
        area = self.WIDTH - self.LEFT - self.RIGHT

        def place(value):
            return self.LEFT + area * (math.log10(value) - low) / (high - low)

        bottom = self._height + self.LINE * len(rows)
        for power in range(low, high + 1):
            self._line(place(10.0**power), self._height, place(10.0**power), bottom, "#dddddd")
            self._text(place(10.0**power), bottom + 14, f"{10.0**power:g}×", "middle")
        for name, p10, p50, p90 in rows:
            middle = self._height + self.LINE / 2
            self._text(self.LEFT - 8, middle + 4, name, "end")
            self._line(place(p10), middle, place(p90), middle, self.COLOURS[1], 7)
            self._parts.append(f'<circle cx="{place(p50):.1f}" cy="{middle:.1f}" r="5" fill="{self.COLOURS[2]}"/>')
            self._text(self.WIDTH - self.RIGHT + 8, middle + 4, f"{p50:.3g}×")
            self._height += self.LINE
        self._height += 40

    def curves(self, title, at, curves):
        """`curves`: name and one value for each of `at`."""
        self._title(title)
        height, top = 180, self._height
        area = self.WIDTH - self.LEFT - self.RIGHT
        most = max(value for _, values in curves for value in values)
        base = top + height
        self._line(self.LEFT, base, self.LEFT + area, base, "#999999")
        self._line(self.LEFT, top, self.LEFT, base, "#999999")
        self._text(self.LEFT - 8, top + 8, f"{most:.3g}×", "end")
        self._text(self.LEFT - 8, base, "0", "end")
        places = [self.LEFT + area * (i + 0.5) / len(at) for i in range(len(at))]
        for place, count in zip(places, at):
            self._text(place, base + 16, str(count), "middle")
        ends = []  # of the curves, where their names stand: never one on another
        for number, (name, values) in enumerate(curves):
            colour = self.COLOURS[number % len(self.COLOURS)]
            points = [(x, base - height * value / most) for x, value in zip(places, values)]
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            self._parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
            x, y = points[-1]
            while any(abs(y - end) < 14 for end in ends):
                y -= 14
            ends.append(y)
            self._text(x + 8, y + 4, name)
        self._height = base + 44

    def svg(self):
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.WIDTH}" height="{self._height}" '
            'font-family="sans-serif" font-size="12">\n'
            f'<rect width="{self.WIDTH}" height="{self._height}" fill="#ffffff"/>\n' + "\n".join(self._parts) + "\n</svg>\n"
        )
