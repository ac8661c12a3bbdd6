"""Writes measured figures into README.md and the documentation, between marks that say what belongs there.

    <!-- NAME: made by scripts/bench --publish -->
    ...
    <!-- NAME: end -->
"""
import json
import os
import sys

import growth
import scale
import table
from running import ROOT, machine_note
from table import number

CATALOG = os.path.join('Sources', 'Millrace', 'Millrace.docc')

# What README shows, in its own words.
SUMMARY = [
    ('W1.fresh', '`parallelMap`, 10 million `Int64`, `x * x + 1`, on threads'),
    ('W2.shuffled.parallelMap', 'items of very different cost, on threads: share of the ideal'),
    ('W2.shuffled.processes', 'the same on processes'),
    ('W3.unordered.default', 'small items through two processes, default settings'),
    ('W3.unordered.chunk1', 'the same one by one'),
    ('W3.unordered_struct.default', 'structures of five fields, a string among them, `Codable`'),
    ('W3.unordered_memberwise.default', 'the same as `MemberwiseTransport`'),
    ('W4.1MiB', 'byte arrays of 1 MiB to two processes and back'),
    ('W5.init.processes', 'models that each worker loads once, the whole run (0.55 s without any cost)'),
    ('W6', 'a pool of two processes: start, two items, end'),
    ('W6.threads', 'the same of two threads'),
    ('W8, growth', 'memory that 50 million lazy items cost the program'),
    ('W9.true', '`millrace map`, shell commands'),
]


def summary(result):
    rows = {row['workload']: row for row in result['table']}
    lines = ['| | Millrace | the best of the others | how many times better |', '|---|---|---|---|']
    for name, title in SUMMARY:
        if name in rows:
            row = rows[name]
            unit = '' if row['unit'] == 'efficiency' else ' ' + row['unit']
            best = '–' if row['best_peer'] is None else '%s%s (%s)' % (
                number(row['best_peer_value']), unit, row['best_peer'].split()[0])
            lines.append('| %s | %s%s | %s | %s |' % (title, number(row['ours']), unit, best, number(row['ratio'])))
    return '\n'.join(lines) + '\n\nTwo workers everywhere; medians of %d round%s. %s\n' % (
        result['rounds'], 's' if result['rounds'] > 1 else '', machine_note(result['machine']))


# Whose figures go where: the JSON file, and for each section the file, its name and what it is made of.
SECTIONS = {
    'benchmarks.json': [
        ('README.md', 'figures', summary),
        (os.path.join(CATALOG, 'Speed.md'), 'benchmarks', table.markdown)],
    'growth.json': [
        (os.path.join(CATALOG, 'Speed.md'), 'growth', lambda result: growth.markdown(result, with_images=True))],
    'scale.json': [
        (os.path.join(CATALOG, 'Scale.md'), 'scale', lambda result: scale.markdown(result, with_images=True))],
}
DRAWINGS = {'growth.json': growth.draw, 'scale.json': scale.draw}


def replace(path, name, text):
    begin, end = '<!-- %s: made by scripts/bench --publish -->\n' % name, '<!-- %s: end -->' % name
    with open(os.path.join(ROOT, path)) as file:
        before, has_begin, rest = file.read().partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        print('bench: %s has no section %s' % (path, begin.strip()), file=sys.stderr)
        return False
    with open(os.path.join(ROOT, path), 'w') as file:
        file.write(before + begin + '\n' + text.rstrip() + '\n\n' + end + after)
    print('bench: %s, %s' % (path, name), file=sys.stderr)
    return True


def publish(folder):
    """Writes what the folder has; false if it has nothing, or a mark is missing."""
    is_right, found = True, False
    for name, sections in SECTIONS.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        found = True
        with open(path) as file:
            result = json.load(file)
        if result['errors']:
            print('bench: %s is of a run with errors, which are published with it' % name, file=sys.stderr)
        for target, section, text in sections:
            is_right = replace(target, section, text(result)) and is_right
        if name in DRAWINGS:
            DRAWINGS[name](result, os.path.join(ROOT, CATALOG))
    if not found:
        print('bench: %s has none of %s' % (folder, ', '.join(SECTIONS)), file=sys.stderr)
    return is_right and found
