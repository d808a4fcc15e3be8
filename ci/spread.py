"""Draws measurements as an SVG: a bar from the least to the most, a mark at the median.

usage: python3 ci/spread.py TABLE >PICTURE

TABLE holds a line for each row, with tabs between: a group (what is measured, with its unit), what
was measured, the least, the median, the most. Each group has a scale of its own, from zero.
"""

import sys
from html import escape

LEFT, LENGTH, ROW = 190, 420, 26
COLOURS = ('#3b6ea8', '#b8860b')

rows = []
with open(sys.argv[1]) as table:
    for line in table:
        if line.strip() and not line.startswith('#'):
            group, name, *values = line.rstrip('\n').split('\t')
            rows.append((group, name, *map(float, values)))

out, y, last, at = [], 10, None, 0
for group, name, least, median, most in rows:
    if group != last:
        y += 34
        at = 0
        scale = LENGTH / max(row[4] for row in rows if row[0] == group)
        out.append('<text x="10" y="%d" font-weight="bold" fill="currentColor">%s</text>' % (y - 10, escape(group)))
        last = group
    colour = COLOURS[at % len(COLOURS)]
    at += 1
    middle = y + ROW / 2
    out.append('<text x="10" y="%.1f" fill="currentColor">%s</text>' % (middle + 4, escape(name)))
    out.append(
        '<rect x="%.1f" y="%.1f" width="%.1f" height="8" rx="2" fill="%s" fill-opacity="0.45"/>'
        % (LEFT + least * scale, middle - 4, max((most - least) * scale, 1), colour)
    )
    out.append(
        '<rect x="%.1f" y="%.1f" width="3" height="18" fill="%s"/>' % (LEFT + median * scale - 1.5, middle - 9, colour)
    )
    out.append(
        '<text x="%.1f" y="%.1f" fill="currentColor">%g (%g to %g)</text>'
        % (LEFT + LENGTH + 14, middle + 4, median, least, most)
    )
    y += ROW
print(
    '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" font-family="sans-serif"'
    ' font-size="13" color="#57606a">\n%s\n</svg>' % (LEFT + LENGTH + 170, y + 10, '\n'.join(out))
)
