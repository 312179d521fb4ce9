"""Draws two waves as an SVG, and leaves the same numbers as a table and as a page."""

import csv
import math

xs = [i / 20 for i in range(126)]
waves = {"sine": [math.sin(x) for x in xs], "damped": [math.exp(-x / 3) * math.cos(3 * x) for x in xs]}
colours = {"sine": "#0b7266", "damped": "#b3541e"}


def line(ys):
    return " ".join(f"{20 + 90 * x:.1f},{120 - 90 * y:.1f}" for x, y in zip(xs, ys))


with open("waves.svg", "w") as out:
    out.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 240">')
    out.write('<rect width="620" height="240" fill="white"/>')
    out.write('<path d="M20 120H600M20 20V220" stroke="#aab" fill="none"/>')
    for name, ys in waves.items():
        out.write(f'<polyline points="{line(ys)}" fill="none" stroke-width="2.5" stroke="{colours[name]}"/>')
    out.write("</svg>")

with open("waves.csv", "w", newline="") as out:
    table = csv.writer(out)
    table.writerow(["x", *waves])
    for x, *ys in list(zip(xs, *waves.values()))[::5]:
        table.writerow([x, *(round(y, 4) for y in ys)])

with open("about.html", "w") as out:
    out.write("<h2>Two waves</h2><p>A <b>sine</b> and a <i>damped cosine</i>, from a sealed cell.</p>")

print("wrote waves.svg, waves.csv and about.html")
