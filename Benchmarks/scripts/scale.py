"""What a machine with more CPUs would do with one pool of processes, from what the pool costs here.

All workers of a pool meet at one dispatcher, in the program's own process. What that costs was measured for chunks of
several sizes and pools of several widths, as CPU time, and is taken as

    parent(chunk, width) = a + b * width + c * chunk      for each chunk
    worker(chunk)        = d + e * chunk                  for each chunk

Then W CPUs do, with items that take `t` in chunks of `n`,

    items/s = min(W / (t + (worker + parent) / n), n / parent)

which holds if the program's part runs in one thread; part of it does not, so it is cautious. The measured pools had tiny
items, so that the program never waited: a program that waits pays for wake-ups too, but then it is not what is short.
"""
import json
import math
import os
import statistics
import sys

import plot
from fit import fit
from growth import duration
from running import call, foreign_note, machine_note
from samples import Samples
from table import number

# `AdaptiveChunk.target` and `AdaptiveChunk.maximum`: automatic chunks take so long, and hold at most so many items.
TARGET_NS, LARGEST = 1_000_000, 65_536
ITEM_TIMES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
CORES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
CHUNKS = [1, 16, 256, 'default']
QUESTION_NS = 10_000


def measure(program, rounds, is_quick):
    samples = Samples()
    for round_number in range(1, rounds + 1):
        print('bench: round %d of %d, scale' % (round_number, rounds), file=sys.stderr)
        lines, why = call([program, 'scale', '1'] + (['only=.2'] if is_quick else []), dict(os.environ), samples)
        if lines is None:
            samples.error('ours', 'scale: %s' % why)
        else:
            samples.read('ours', round_number, lines)
    return samples


def points(samples):
    """For each size and width the CPU time of a chunk in nanoseconds, in the program and in a worker."""
    def figure(variant, metric):
        return statistics.median(samples.figure(metric, 'ours', variant).values())

    found = []
    for variant in dict.fromkeys(variant for _, variant, metric in samples.values if metric == 'items'):
        _, chunk, width = variant.split('.')
        size, _, item = chunk.partition('_')
        chunks = figure(variant, 'items') / int(size)
        found.append({
            'chunk': int(size), 'width': int(width), 'item': item or 'tiny',
            **{name + '_ns': figure(variant, metric) / chunks * 1e9 for name, metric in (
                ('parent', 'parent_cpu'), ('busiest_thread', 'busiest_thread_cpu'), ('worker', 'worker_cpu'))}})
    return found


class Model:
    def __init__(self, found, who='parent'):
        tiny = [point for point in found if point['item'] == 'tiny']
        self.a, self.b, self.c = fit(
            [((1, point['width'], point['chunk']), point[who + '_ns']) for point in tiny], 3)
        self.d, self.e = fit([((1, point['chunk']), point['worker_ns']) for point in tiny], 2)

    @staticmethod
    def size(chunk, item):
        return max(1, min(LARGEST, TARGET_NS // item)) if chunk == 'default' else chunk

    def parent(self, chunk, width):
        return self.a + self.b * width + self.c * chunk

    def worker(self, chunk):
        return self.d + self.e * chunk

    def ceiling(self, chunk, width):
        """The items a second that the program can hand out and take in."""
        return 1e9 * chunk / self.parent(chunk, width)

    def rate(self, cores, item, chunk):
        cost = item + (self.worker(chunk) + self.parent(chunk, cores)) / chunk
        return min(1e9 * cores / cost, self.ceiling(chunk, cores))

    def saturation(self, item, chunk, most=100_000):
        """The CPUs from which on one more brings nothing; nil above `most`."""
        cores = 1
        while cores <= most:
            if self.rate(cores, item, chunk) >= self.ceiling(chunk, cores):
                return cores
            cores += max(1, cores // 100)
        return None


def many(cores):
    return 'above 100 k' if cores is None else '{:,}'.format(cores)


def named(chunk, item=None):
    if chunk != 'default':
        return 'chunks of %d' % chunk
    return 'default chunks' + (' (of %d)' % Model.size(chunk, item) if item else '')


def parts_table(model, thread):
    rows = ['| part, of CPU time | a chunk | for each slot of the pool | an item in it |', '|---|---|---|---|']
    for name, a, b, c in (('the program, all threads', model.a, model.b, model.c),
                          ('its busiest thread', thread.a, thread.b, thread.c)):
        rows.append('| %s | %s | %s | %s |' % (name, duration(a), duration(b), duration(c)))
    return rows + ['| a worker, besides the work | %s | – | %s |' % (duration(model.d), duration(model.e))]


def saturation_table(model, thread):
    rows = ['| an item takes | %s | default chunks, by the busiest thread alone |' % ' | '.join(map(named, CHUNKS)),
            '|---' * (len(CHUNKS) + 2) + '|']
    for item in ITEM_TIMES:
        cells = [many(model.saturation(item, Model.size(chunk, item))) for chunk in CHUNKS]
        cells.append(many(thread.saturation(item, Model.size('default', item))))
        rows.append('| %s | %s |' % (duration(item), ' | '.join(cells)))
    return rows


def rate_table(model):
    rows = ['| CPUs | %s | %s |' % (' | '.join(named(chunk, QUESTION_NS) for chunk in CHUNKS), 'without any cost'),
            '|---' * (len(CHUNKS) + 2) + '|']
    for cores in CORES:
        rates = [model.rate(cores, QUESTION_NS, Model.size(chunk, QUESTION_NS)) for chunk in CHUNKS]
        rows.append('| %d | %s |' % (cores, ' | '.join(number(rate) for rate in rates + [1e9 * cores / QUESTION_NS])))
    return rows


def answer(model, thread):
    chunk = Model.size('default', QUESTION_NS)
    cores, alone = model.saturation(QUESTION_NS, chunk), thread.saturation(QUESTION_NS, chunk)
    verdict = 'is enough for 64 CPUs' if cores is None or cores >= 64 else 'is **not** enough for 64 CPUs'
    return ('With items of %s in default chunks, of %d, one dispatcher %s: it is saturated at %s, at %s items/s; by its busiest '
            'thread alone at %s.' % (duration(QUESTION_NS), chunk, verdict, many(cores),
                                     number(model.ceiling(chunk, cores or 100_000)), many(alone)))


def waiting(found):
    """What a chunk costs a program that mostly waits, beside the model, in which it never does."""
    points = [point for point in found if point['item'] == '10us']
    if not points:
        return ''
    costs = ', '.join('%s at a width of %d' % (duration(point['parent_ns']), point['width']) for point in points)
    widest = max(points, key=lambda point: point['width'])
    cores = math.ceil((widest['chunk'] * QUESTION_NS + widest['parent_ns']) / widest['parent_ns'])
    return ('A program that mostly waits, as with such items on the machine at hand, pays for being woken too: it took %s of CPU '
            'time a chunk of %d. The more it has to do, the more it finds each time, until it is not woken at all. If it paid '
            'the last of these for every chunk, %d CPUs would saturate it: that is the worst that can be.' % (
                costs, widest['chunk'], cores))


def drawing(model):
    lines = [(named(chunk, QUESTION_NS),
              [(cores, model.rate(cores, QUESTION_NS, Model.size(chunk, QUESTION_NS))) for cores in CORES]) for chunk in CHUNKS]
    lines.append(('without any cost', [(cores, 1e9 * cores / QUESTION_NS) for cores in CORES]))
    return plot.draw('Items of 10 µs through one pool of processes, modelled', 'CPUs', 'items a second', lines, str, number)


def markdown(result, with_images=False):
    model, thread = Model(result['points']), Model(result['points'], 'busiest_thread')
    text = ['### The parts', ''] + parts_table(model, thread)
    text += ['', '### Where one dispatcher is saturated', '', 'From so many CPUs on, one more brings nothing:', '']
    text += saturation_table(model, thread)
    text += ['', answer(model, thread)]
    if waiting(result['points']):
        text += ['', waiting(result['points'])]
    text += ['', '### Items of 10 µs, items a second', '']
    if with_images:
        text += ['![Items a second by the number of CPUs, as a plot.](scale.svg)', '']
    text += rate_table(model)
    text += ['', machine_note(result['machine']) + ' Medians of %d round%s. ' % (
        result['rounds'], 's' if result['rounds'] > 1 else '') + foreign_note(result['foreign'])]
    if result['errors']:
        text += ['', 'Errors: ' + '; '.join(result['errors']) + '.']
    return '\n'.join(text) + '\n'


def write(result, folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'scale.md'), 'w') as file:
        file.write(markdown(result, with_images=True))
    with open(os.path.join(folder, 'scale.json'), 'w') as file:
        json.dump(result, file, indent=1)
        file.write('\n')
    draw(result, folder)


def draw(result, folder):
    with open(os.path.join(folder, 'scale.svg'), 'w') as file:
        file.write(drawing(Model(result['points'])))
