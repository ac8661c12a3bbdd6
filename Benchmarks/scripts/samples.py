"""What the programs say: lines R, C and E of the contract (Benchmarks/README.md), round by round."""
import fnmatch
import statistics
import sys


class Samples:
    """The figures of all rounds: who, which variant, which metric, in which round."""

    def __init__(self):
        self.values = {}        # (who, variant, metric): {round: [value]}
        self.kinds = {}         # who: kind
        self.errors = []
        self.absent = {}        # who: why
        self.checksums = {}     # variant: (checksum, who)
        self.foreign = []       # the share of the CPUs that others used, for each call

    def add(self, who, round_number, variant, metric, value):
        self.values.setdefault((who, variant, metric), {}).setdefault(round_number, []).append(value)

    def error(self, who, text):
        message = '%s: %s' % (who, text)
        if message not in self.errors:
            self.errors.append(message)
            print('bench:', message, file=sys.stderr)

    def read(self, who, round_number, lines):
        for line in lines:
            words = line.split()
            if line.startswith('R ') and len(words) == 5:
                self.add(who, round_number, words[1], words[2], float(words[4]))
            elif line.startswith('C ') and len(words) == 3:
                known, first = self.checksums.setdefault(checksum_key(words[1]), (words[2], who))
                if known != words[2]:
                    self.error(who, 'the checksum of %s is not that of %s' % (words[1], first))
            elif line.startswith('E '):
                self.error(who, line[2:])

    def figure(self, row_figure, who, variant):
        """{round: the median of the figure}"""
        if row_figure == 'worst':
            found = self.values.get((who, variant, 'seconds'), {})
            return {number: max(values) for number, values in found.items()}
        if row_figure != 'efficiency':
            found = self.values.get((who, variant, row_figure), {})
            return {number: statistics.median(values) for number, values in found.items()}
        times = self.figure('seconds', who, variant)
        serial = self.figure('seconds', who, '.'.join(variant.split('.')[:2]) + '.serial')
        return {number: serial[number] / 2 / time for number, time in times.items() if number in serial}

    def variants(self, kind, patterns):
        for who, variant in dict.fromkeys((who, variant) for who, variant, _ in self.values):
            if self.kinds.get(who) == kind and not variant.endswith('.serial') and who != 'serial':
                if any(fnmatch.fnmatchcase(variant, pattern) for pattern in patterns):
                    yield who, variant


def checksum_key(variant):
    """What has the same checksum: W1 by its length, W2 by its order, the others by themselves."""
    parts = variant.split('.')
    if variant == 'W1.item.stream_chunk1':
        # Of fewer items than the other variants.
        return variant
    if parts[0] == 'W1':
        return 'W1.item' if parts[1] == 'item' else 'W1'
    return '.'.join(parts[:2]) if parts[0] == 'W2' else variant


def median(values):
    return statistics.median(values.values()) if values else None


def within_rounds(values, others, higher_is_better):
    """How many times better than `others`: the median of the rounds' ratios."""
    ratios = []
    for number, value in values.items():
        other = others.get(number)
        if other and value:
            ratios.append(value / other if higher_is_better else other / value)
    return statistics.median(ratios) if ratios else None
