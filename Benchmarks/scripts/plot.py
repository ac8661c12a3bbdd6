"""Draws lines over two logarithmic axes, as SVG."""
import math
from html import escape

WIDTH, HEIGHT = 820, 460
LEFT, RIGHT, TOP, BOTTOM = 84, 216, 52, 62
# Okabe and Ito's colours, which people with any kind of sight tell apart.
COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#555555']
DASHES = ['', '7 4', '2 3']


def decades(values):
    """The powers of ten around the values, at least two."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return range(low, max(high, low + 1) + 1)


def spread(places, gap):
    """Moves places, in ascending order, apart to at least `gap`, as little as possible; labels must not overlap."""
    groups = []
    for place in places:
        groups.append([place, 1])
        # A group is its centre and how many it holds: two that overlap become one around their common centre.
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2:
            (first, count), (second, more) = groups[-2:]
            groups[-2:] = [[(first * count + second * more) / (count + more), count + more]]
    return [centre + gap * (i - (count - 1) / 2) for centre, count in groups for i in range(count)]


def draw(title, x_label, y_label, lines, x_text, y_text):
    """`lines` are names with points (x, y), all above 0; `x_text` and `y_text` write values at the axes."""
    values = sorted({x for _, line in lines for x, _ in line})
    rows = decades([y for _, line in lines for _, y in line])
    low, high = math.log10(values[0]), math.log10(values[-1])

    def x_of(x):
        return LEFT + (WIDTH - LEFT - RIGHT) * ((math.log10(x) - low) / (high - low) if high > low else 0.5)

    def y_of(y):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(y) - rows[0]) / (rows[-1] - rows[0])

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#222">' % (WIDTH, HEIGHT, WIDTH, HEIGHT),
        '<title>%s</title>' % escape(title),
        '<rect width="%d" height="%d" fill="#fff"/>' % (WIDTH, HEIGHT),
        '<text x="%d" y="28" font-size="17" font-weight="bold">%s</text>' % (LEFT, escape(title))]

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for power in rows:
        y = y_of(10.0 ** power)
        parts.append('<path d="M%d %.1fH%d" stroke="#ccc"/>' % (LEFT, y, right))
        parts.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 9, y + 4.5, escape(y_text(10.0 ** power))))
        if power < rows[-1]:
            for step in range(2, 10):
                parts.append('<path d="M%d %.1fH%d" stroke="#f0f0f0"/>' % (LEFT, y_of(step * 10.0 ** power), right))
    written = float('inf')
    for value in reversed(values):
        x = x_of(value)
        parts.append('<path d="M%.1f %dV%d" stroke="#e4e4e4"/>' % (x, TOP, bottom))
        # The last one always; others where they do not touch the next.
        if written - x >= 52:
            written = x
            parts.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x, bottom + 20, escape(x_text(value))))
    parts.append('<path d="M%d %dV%dH%d" fill="none" stroke="#222"/>' % (LEFT, TOP, bottom, right))
    parts.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % ((LEFT + right) / 2, HEIGHT - 16, escape(x_label)))
    middle = (TOP + bottom) / 2
    parts.append('<text x="20" y="%.1f" text-anchor="middle" transform="rotate(-90 20 %.1f)">%s</text>' % (
        middle, middle, escape(y_label)))

    # The names stand where the lines end, in the lines' colours.
    ends = sorted(range(len(lines)), key=lambda i: y_of(lines[i][1][-1][1]))
    labels = dict(zip(ends, spread([y_of(lines[i][1][-1][1]) for i in ends], 17)))
    for i, (name, line) in enumerate(lines):
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        path = 'M' + 'L'.join('%.1f %.1f' % (x_of(x), y_of(y)) for x, y in line)
        parts.append('<path d="%s" fill="none" stroke="%s" stroke-width="2.2" stroke-linejoin="round"%s/>' % (
            path, colour, ' stroke-dasharray="%s"' % dash if dash else ''))
        for x, y in line:
            parts.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x_of(x), y_of(y), colour))
        x, y = x_of(line[-1][0]), y_of(line[-1][1])
        if abs(labels[i] - y) > 1 or x < right:
            parts.append('<path d="M%.1f %.1fL%d %.1f" stroke="%s" stroke-width="0.8"/>' % (
                x + 4, y, right + 20, labels[i], colour))
        parts.append('<text x="%d" y="%.1f" fill="%s">%s</text>' % (right + 24, labels[i] + 4.5, colour, escape(name)))
    return '\n'.join(parts + ['</svg>']) + '\n'
