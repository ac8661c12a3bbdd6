"""How the cost of an item grows: with the number of items, of workers, of bytes in an item, of items in the window."""
import json
import os
import statistics
import sys
from collections import namedtuple

import plot
from running import call, foreign_note, machine_note
from samples import Samples

# most: how far --quick goes.
Axis = namedtuple('Axis', 'name title label most')

AXES = [
    Axis('items', 'The input grows', 'items', 1_000_000),
    Axis('width', 'The pool grows wider', 'workers', 8),
    Axis('payload', 'The items grow', 'bytes in an item, each way', 256 << 10),
    Axis('window', 'The window grows', 'items in the window', 1_024),
]

# What each line is, in the order of the table.
SERIES = {
    'parallelMap': 'parallelMap',
    'threads': 'threads', 'processes': 'processes',
    'threads_map': 'threads, map', 'processes_map': 'processes, map',
    'threads_stream': 'threads, stream', 'processes_stream': 'processes, stream',
    'threads_chunk1': 'threads, chunks of 1', 'processes_chunk1': 'processes, chunks of 1',
    'threads_10us': 'threads, items of 10 µs', 'processes_10us': 'processes, items of 10 µs',
}


def duration(nanoseconds):
    for size, unit in ((1e9, 's'), (1e6, 'ms'), (1e3, 'µs')):
        if nanoseconds >= size:
            return '%.3g %s' % (nanoseconds / size, unit)
    return '%.2g ns' % nanoseconds if nanoseconds < 10 else '%.3g ns' % nanoseconds


def size(count, axis):
    """A length as people write it: `64 KiB`, `10 k`, `10 M`."""
    if axis == 'payload':
        for bytes_of, unit in ((1 << 20, 'MiB'), (1 << 10, 'KiB')):
            if count >= bytes_of:
                return '%d %s' % (count // bytes_of, unit)
        return '%d B' % count
    if axis == 'items':
        for items, unit in ((1_000_000, ' M'), (1_000, ' k')):
            if count >= items:
                return '%d%s' % (count // items, unit)
    return '{:,}'.format(count)


def measure(program, rounds, is_quick):
    samples = Samples()
    for round_number in range(1, rounds + 1):
        for axis in AXES:
            print('bench: round %d of %d, %s' % (round_number, rounds, axis.name), file=sys.stderr)
            words = ['growth', '1', 'axis=' + axis.name] + (['most=%d' % axis.most] if is_quick else [])
            lines, why = call([program] + words, dict(os.environ), samples)
            if lines is None:
                samples.error('ours', '%s: %s' % (' '.join(words), why))
            else:
                samples.read('ours', round_number, lines)
    return samples


def points(samples):
    """For each variant what an item costs, in nanoseconds: the median of the rounds, the least and the most."""
    found = []
    for (_, variant, metric), rounds in samples.values.items():
        if metric == 'rate':
            _, axis, series, value = variant.split('.')
            costs = [1e9 / statistics.median(rates) for rates in rounds.values()]
            found.append({'axis': axis, 'series': series, 'value': int(value), 'cost_ns': statistics.median(costs),
                          'least_ns': min(costs), 'most_ns': max(costs)})
    return found


def lines_of(found, axis):
    """{series: [(value, nanoseconds)]}, of the series that are there."""
    lines = {}
    for name in SERIES:
        line = sorted((point['value'], point['cost_ns']) for point in found
                      if point['axis'] == axis and point['series'] == name)
        if line:
            lines[name] = line
    return lines


def table(found, axis):
    lines = lines_of(found, axis.name)
    rows = ['| %s | %s |' % (axis.label, ' | '.join(SERIES[name] for name in lines)), '|---' * (len(lines) + 1) + '|']
    for value in sorted({value for line in lines.values() for value, _ in line}):
        cells = [size(value, axis.name)]
        for line in lines.values():
            cost = dict(line).get(value)
            cell = '–' if cost is None else duration(cost)
            if cost is not None and axis.name == 'payload' and value >= 4 << 10:
                cell += ' (%.4g MiB/s)' % (value / (1 << 20) / (cost / 1e9))
            cells.append(cell)
        rows.append('| %s |' % ' | '.join(cells))
    return '\n'.join(rows)


def image(axis):
    return 'growth-%s.svg' % axis.name


def drawing(found, axis):
    lines = lines_of(found, axis.name)
    return plot.draw(
        'Cost of an item: ' + axis.title[0].lower() + axis.title[1:], axis.label, 'time an item',
        [(SERIES[name], line) for name, line in lines.items()], lambda value: size(value, axis.name), duration)


def markdown(result, with_images=False):
    text = []
    for axis in AXES:
        if lines_of(result['points'], axis.name):
            text += ['### ' + axis.title, '']
            if with_images:
                text += ['![%s: what an item costs, as a plot.](%s)' % (axis.title, image(axis)), '']
            text += [table(result['points'], axis), '']
    text.append('Time an item, from before the call to the last output in hand, divided by the items; two workers where '
                'the pool does not grow. ' + machine_note(result['machine']) + ' Medians of %d round%s. ' % (
                    result['rounds'], 's' if result['rounds'] > 1 else '') + foreign_note(result['foreign']))
    if result['errors']:
        text += ['', 'Errors: ' + '; '.join(result['errors']) + '.']
    return '\n'.join(text) + '\n'


def write(result, folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'growth.md'), 'w') as file:
        file.write(markdown(result, with_images=True))
    with open(os.path.join(folder, 'growth.json'), 'w') as file:
        json.dump(result, file, indent=1)
        file.write('\n')
    draw(result, folder)


def draw(result, folder):
    """A plot for each axis that was measured."""
    for axis in AXES:
        if lines_of(result['points'], axis.name):
            with open(os.path.join(folder, image(axis)), 'w') as file:
                file.write(drawing(result['points'], axis))
