"""Draws what a terminal shows as an SVG.

usage: python3 ci/picture.py TITLE <SCREEN >PICTURE

SCREEN is text with the escape sequences for colour that `tmux capture-pane -e -p` prints. The same
screen gives the same picture.
"""

import re
import sys
from html import escape

WIDTH, HEIGHT = 8.4, 18
NORMAL, GROUND = '#d4d4d4', '#1e1e1e'
COLOURS = ('#1e1e1e', '#f14c4c', '#23d18b', '#e5e510', '#3b8eea', '#d670d6', '#29b8db', '#d4d4d4')


def colour_of(number):
    """One of a terminal's 256 colours."""
    if number < 16:
        return COLOURS[number % 8]
    if number >= 232:
        return '#%02x%02x%02x' % ((8 + 10 * (number - 232),) * 3)
    number -= 16
    steps = (0, 95, 135, 175, 215, 255)
    return '#%02x%02x%02x' % tuple(steps[number // by % 6] for by in (36, 6, 1))


class Style:
    """How characters look from one escape sequence to the next."""

    def __init__(self):
        self.colour, self.ground, self.bold, self.swapped = None, None, False, False

    def take(self, codes):
        codes = [int(code or 0) for code in codes.split(';')]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 22):
                self.bold = code == 1
            elif code in (7, 27):
                self.swapped = code == 7
            elif code in (38, 48):
                value = None
                if codes[:1] == [5]:
                    value = colour_of(codes[1])
                    del codes[:2]
                elif codes[:1] == [2]:
                    value = '#%02x%02x%02x' % tuple(codes[1:4])
                    del codes[:4]
                self.set(code == 38, value)
            elif code in (39, 49):
                self.set(code == 39, None)
            elif code % 10 < 8 and code // 10 in (3, 4, 9, 10):
                self.set(code // 10 in (3, 9), COLOURS[code % 10])

    def set(self, is_colour, value):
        if is_colour:
            self.colour = value
        else:
            self.ground = value

    def pair(self):
        pair = (self.colour or NORMAL, self.ground)
        return (pair[1] or GROUND, pair[0]) if self.swapped else pair


def draw(title, screen):
    lines = screen.rstrip('\n').split('\n')
    plain = [re.sub('\x1b\\[[0-9;]*m', '', line) for line in lines]
    columns = max(map(len, plain))
    width, height = columns * WIDTH + 24, len(lines) * HEIGHT + 20
    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" role="img">' % (width, height),
        '<title>%s</title>' % escape(title),
        '<rect width="100%%" height="100%%" rx="6" fill="%s"/>' % GROUND,
        '<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14"'
        ' xml:space="preserve">',
    ]
    style = Style()
    for row, line in enumerate(lines):
        column, top = 0, 10 + row * HEIGHT
        for part in re.split('(\x1b\\[[0-9;]*m)', line):
            if part.startswith('\x1b'):
                style.take(part[2:-1])
            elif part:
                colour, ground = style.pair()
                x, length = 12 + column * WIDTH, len(part) * WIDTH
                if ground:
                    out.append(
                        '<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>'
                        % (x, top, length, HEIGHT, ground)
                    )
                if part.strip():
                    bold = ' font-weight="bold"' if style.bold else ''
                    out.append(
                        '<text x="%.1f" y="%d" textLength="%.1f" fill="%s"%s>%s</text>'
                        % (x, top + 14, length, colour, bold, escape(part))
                    )
                column += len(part)
    return '\n'.join(out + ['</g>', '</svg>', ''])


sys.stdout.write(draw(sys.argv[1], sys.stdin.read()))
