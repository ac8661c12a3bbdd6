"""The suite's table: a row a workload, with ours, the best peer of its kind, and the limit."""
import re
from collections import namedtuple

from running import foreign_note, machine_note
from samples import median, within_rounds

# figure: which figure of a variant, `seconds`, `rate`, `efficiency` (half of the serial time over the time), or another metric.
# scale: what it is multiplied by for `unit`. peers: their variants, as patterns. kind: which peers.
# limit: ('limits', variant), ('ours', another variant of ours), ('half', variant of ours, a serial loop) or ('is', a number); None if there is none.
Row = namedtuple('Row', 'title unit figure scale ours kind peers limit')


def rows():
    for variant, count in (('fresh', 1e7), ('reuse', 1e7), ('item', 1e6)):
        name = 'W1.' + variant
        yield Row(name, 'ns an item', 'seconds', 1e9 / count, name, 'threads', [name],
                  ('limits', name) if variant != 'item' else None)
    for variant, count in (('stream', 1e6), ('stream_shown', 1e6), ('stream_insights', 1e6), ('stream_chunk1', 2e4)):
        yield Row('W1.item.' + variant, 'ns an item', 'seconds', 1e9 / count, 'W1.item.' + variant, None, [], None)
    for order in ('shuffled', 'ascending'):
        for ours, kind in (('parallelMap', 'threads'), ('threads', 'threads'), ('processes', 'processes')):
            name = 'W2.%s.' % order
            yield Row(name + ours, 'efficiency', 'efficiency', 1, name + ours, kind, [name + '*'], ('is', 1))
    for chunks, limit in (('chunk1', 'chunk1'), ('default', 'default'), ('chunk1000', 'default')):
        for ours in ('ordered', 'unordered', 'ordered_struct', 'unordered_struct', 'ordered_memberwise', 'unordered_memberwise'):
            # Whole numbers only: no peer maps the structures, and the ring does not carry them.
            is_plain = '_' not in ours
            yield Row('W3.%s.%s' % (ours, chunks), 'items/s', 'rate', 1, 'W3.%s.%s' % (ours, chunks),
                      'processes' if is_plain else None, ['W3.*.' + chunks],
                      ('limits', 'W3.ring.' + limit) if is_plain else None)
    for ours in ('ordered', 'unordered'):
        for watched in ('shown', 'insights'):
            name = 'W3.%s.default_%s' % (ours, watched)
            yield Row(name, 'items/s', 'rate', 1, name, None, [], None)
    for name in ('W4.1MiB', 'W4.32MiB'):
        yield Row(name, 'MiB/s', 'rate', 1, name, 'processes', [name], ('limits', name))
    for ours in ('processes', 'threads'):
        yield Row('W5.init.' + ours, 's', 'seconds', 1, 'W5.init.' + ours, 'processes', ['W5.init.*'],
                  ('limits', 'W5.init'))
    for name in ('W5.numerical', 'W5.stateful'):
        for suffix in ('', '.threads'):
            yield Row(name + suffix, 's', 'seconds', 1, name + suffix, 'processes', [name],
                      ('half', name + '.serial'))
    for name in ('W6', 'W6.parent_1GiB'):
        yield Row(name, 'ms', 'seconds', 1e3, name, 'processes', [name], ('limits', 'W6'))
        yield Row(name + '.threads', 'ms', 'seconds', 1e3, name + '.threads', None, [], None)
    for suffix, kind in (('', 'processes'), ('.threads', 'threads')):
        for name in ('W7.trivial', 'W7.trivial.stations'):
            yield Row(name + suffix, 'ms', 'seconds', 1e3, name + suffix, kind, ['W7.trivial'], None)
        yield Row('W7.cpu' + suffix, 's', 'seconds', 1, 'W7.cpu' + suffix, kind, ['W7.cpu*'], ('half', 'W7.cpu.serial'))
    # Each of 200,000 items goes through four stations.
    yield Row('W7.hop.threads', 'ns a hop', 'seconds', 1e9 / 200000 / 4, 'W7.trivial.stations.threads', None, [], None)
    for count in (1, 4, 16, 64):
        name = 'W7.stages%d.threads' % count
        yield Row(name, 'ns a stage', 'seconds', 1e9 / 200000 / count, name, None, [], None)
    for kind in ('map', 'filter', 'compactMap', 'flatMap', 'tap', 'take', 'batch', 'sorted'):
        name = 'W7.%s.threads' % kind
        yield Row(name, 'ns an item', 'seconds', 1e9 / 200000, name, None, [], None)
    for suffix in ('', '.threads'):
        yield Row('W8%s, growth' % suffix, 'MiB', 'peak_rss_over_start', 1, 'W8' + suffix, 'processes', ['W8'], None)
        yield Row('W8%s, drawn' % suffix, 'items', 'read_ahead', 1, 'W8.stalled.one' + suffix, 'processes',
                  ['W8.stalled.one'], None)
    for name in ('W9.true', 'W9.echo', 'W9.shell'):
        yield Row(name, 'jobs/s', 'rate', 1, name, 'jobs', [name], ('limits', name))
    for suffix, kind in (('', 'processes'), ('.threads', 'threads')):
        for source in ('async', 'blocking', 'lines'):
            for gap in ('1ms', '20ms', '500ms'):
                name = 'W10.live.%s.%s%s' % (source, gap, suffix)
                for figure in ('p50', 'p99'):
                    yield Row('%s, %s' % (name, figure), 'µs', figure, 1e6, name, kind, ['W10.live.' + gap], None)
        yield Row('W10.burst' + suffix, 'items/s', 'rate', 1, 'W10.burst' + suffix, None, [], None)
        yield Row('W10.burst%s, behind the pause' % suffix, 'µs', 'behind_pause', 1e6, 'W10.burst' + suffix, None, [], None)
        for source in ('lazy', 'async', 'stream'):
            yield Row('W10.rate.%s%s' % (source, suffix), 'items/s', 'rate', 1, 'W10.rate.%s%s' % (source, suffix), None, [], None)
        for figure in ('p50', 'p99'):
            yield Row('W10.four%s, %s' % (suffix, figure), 'µs', figure, 1e6, 'W10.four' + suffix, None, [], None)
    for suffix, kind in (('', 'processes'), ('.threads', 'threads')):
        for variant in ('one', 'config', 'closure'):
            name = 'W11.%s%s' % (variant, suffix)
            yield Row(name, 'µs a map', 'seconds', 1e6, name, kind, ['W11.one'], None)
            yield Row(name + ', drift', 'last by first', 'drift', 1, name, None, [], ('is', 1))
            yield Row(name + ', growth', 'MiB', 'memory_growth', 1, name, None, [], None)
    for variant in ('parallelMap', 'flat.threads', 'other.threads', 'same.threads', 'flat.tasks', 'other.tasks', 'same.tasks'):
        name = 'W12.nested.' + variant
        yield Row(name, 'efficiency', 'efficiency', 1, name, 'threads', ['W12.nested.inner'], ('is', 1))
    yield Row('W13', 'ms', 'seconds', 1e3, 'W13', 'threads', ['W13'], None)
    yield Row('W13, worst', 'ms', 'worst', 1e3, 'W13', 'threads', ['W13'], None)
    for variant in ('thousand', 'one'):
        name = 'W14.' + variant
        yield Row(name + '.parallelMap', 'µs a map', 'seconds', 1e6, name + '.parallelMap', 'threads', [name], None)
        for suffix, kind in (('', 'processes'), ('.threads', 'threads'), ('.serialPool', None)):
            for ours in (name + suffix, name + '.callers64' + suffix):
                yield Row(ours, 'µs a map', 'seconds', 1e6, ours, kind, [name], None)
    for name, limit in (('W15.sum', ('limits', 'W15.sum')), ('W15.xor', None)):
        yield Row(name, 'MiB/s', 'rate', 1, name, None, [], limit)
    for name in ('W15.create', 'W15.share'):
        yield Row(name, 'ms', 'seconds', 1e3, name, None, [], None)
    for name in ('W15.halves', 'W15.halves.threads'):
        yield Row(name, 'MiB/s', 'rate', 1, name, None, [], ('limits', 'W15.halves'))
    for name in ('W16.one', 'W16.hundred'):
        yield Row(name, 'items/s', 'rate', 1, name, 'clusters', [name], None)
    yield Row('W16.digest', 'MiB/s', 'rate', 1, 'W16.digest', 'clusters', ['W16.digest'], None)
    for name in ('W16.trip', 'W16.first', 'W16.start'):
        yield Row(name, 'ms', 'seconds', 1e3, name, 'clusters', [name], None)
    yield Row('W16.pause', 's', 'seconds', 1, 'W16.pause', None, [], ('ours', 'W16.pause.local'))


def tabulate(samples, wanted):
    table = []
    for row in rows():
        if re.match(r'W\d+', row.title)[0] not in wanted:
            continue
        ours = samples.figure(row.figure, 'ours', row.ours)
        if not ours:
            continue
        higher = row.figure in ('rate', 'efficiency')
        best, best_name = {}, None
        for who, variant in samples.variants(row.kind, row.peers) if row.kind else ():
            found = samples.figure(row.figure, who, variant)
            if found and (not best or (median(found) > median(best)) == higher):
                best, best_name = found, '%s %s' % (who, variant) if variant != row.ours else who
        limit = {}
        if row.limit:
            source, what = row.limit
            if source == 'is':
                limit = {number: what for number in ours}
            elif source in ('limits', 'ours'):
                limit = samples.figure(row.figure, source, what)
            else:
                limit = {number: value / 2 for number, value in samples.figure('seconds', 'ours', what).items()}

        def scaled(values):
            return None if median(values) is None else median(values) * row.scale

        table.append({
            'workload': row.title, 'unit': row.unit, 'higher_is_better': higher, 'rounds': len(ours),
            'ours': scaled(ours), 'ours_least': min(ours.values()) * row.scale,
            'ours_most': max(ours.values()) * row.scale, 'best_peer': best_name, 'best_peer_value': scaled(best),
            'ratio': within_rounds(ours, best, higher), 'limit': scaled(limit),
            'share_of_limit': within_rounds(ours, limit, higher)})
    return table


def number(value):
    if value is None:
        return '–'
    for size, suffix in ((1e9, ' G'), (1e6, ' M'), (1e4, ' k')):
        if abs(value) >= size:
            return '%.3g%s' % (value / (1e3 if suffix == ' k' else size), suffix)
    return '%.0f' % value if abs(value) >= 1000 else '%.3g' % value


def markdown(result):
    lines = ['| workload | unit | ours | best peer | ratio | limit | share of the limit |', '|---|---|---|---|---|---|---|']
    for row in result['table']:
        best = '–' if row['best_peer'] is None else '%s (%s)' % (number(row['best_peer_value']), row['best_peer'])
        share = '–' if row['share_of_limit'] is None else '%.0f %%' % (100 * row['share_of_limit'])
        lines.append('| %s | %s | %s | %s | %s | %s | %s |' % (
            row['workload'], row['unit'], number(row['ours']), best, number(row['ratio']), number(row['limit']), share))
    return '\n'.join(lines + [''] + notes_on(result)).rstrip() + '\n'


def notes_on(result):
    notes = [
        machine_note(result['machine']) + ' Medians of %d round%s; two workers everywhere. A ratio or a share is the '
        'median of those of the rounds; above 1 (100 %%) is better than the other.' % (
            result['rounds'], 's' if result['rounds'] > 1 else ''),
        foreign_note(result['foreign'])]
    if result['absent']:
        notes.append('Absent: ' + '; '.join('%s (%s)' % entry for entry in sorted(result['absent'].items())) + '.')
    if result['errors']:
        notes.append('Errors: ' + '; '.join(result['errors']) + '.')
    return [line for note in notes for line in (note, '')]
