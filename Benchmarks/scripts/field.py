"""Who runs in a round: the peers of Benchmarks/peers or those of another harness, the limits, and ourselves."""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

import plan
from running import call


class Field:
    """The peers of Benchmarks/peers, ourselves, and the limits."""

    def __init__(self, places, environment, samples, wanted):
        self.places, self.environment, self.samples = places, environment, samples
        self.present = []
        for peer in plan.PEERS + [plan.LIMITS, plan.OURS, plan.OURS_ON_CLUSTERS]:
            if not set(peer.workloads).intersection(wanted):
                continue
            samples.kinds[peer.name] = peer.kind
            why = self.lacks(peer)
            if why:
                samples.absent[peer.name] = why
            else:
                self.present.append(peer)

    def lacks(self, peer):
        for need in peer.needs:
            kind, _, name = need.partition(':')
            if kind == 'command':
                if not shutil.which(name):
                    return 'there is no `%s`; Benchmarks/peers/setup installs it' % name
            elif kind == 'module':
                python = '{folder}/venv/bin/python'.format(**self.places)
                if subprocess.run([python, '-c', 'import ' + name], stderr=subprocess.DEVNULL).returncode:
                    return 'Python has no module %s; Benchmarks/peers/setup installs it' % name
            elif not os.path.exists(need.format(**self.places)):
                return '%s is not there; Benchmarks/peers/setup makes it' % need.rpartition('}/')[2]
        return None

    def round(self, workload, round_number, only=None):
        for peer in self.present:
            if only and peer.name != only:
                continue
            command = [word.format(**self.places) for word in peer.command]
            for words in peer.workloads.get(workload, ()):
                if peer.is_timed:
                    self.time(peer, command, words[0], round_number)
                    continue
                lines, why = call(command + [workload] + words, self.environment, self.samples)
                if lines is None:
                    self.samples.error(peer.name, '%s: %s' % (' '.join([workload] + words), why))
                else:
                    self.samples.read(peer.name, round_number, lines)

    def time(self, peer, command, kind, round_number, count=2000):
        lines, seconds = call(command + [kind, str(count)], self.environment, self.samples, subprocess.DEVNULL)
        if lines is None:
            self.samples.error(peer.name, 'W9.%s: %s' % (kind, seconds))
        else:
            self.samples.add(peer.name, round_number, 'W9.' + kind, 'seconds', seconds)
            self.samples.add(peer.name, round_number, 'W9.' + kind, 'rate', count / seconds)


class Harness:
    """Somebody else's peers: FOLDER/run.py, a workload and a round at a time, with our limits beside them."""

    KINDS = {'threads': ('openmp', 'tbb', 'rayon_peer', 'gopool', 'dispatch', 'taskgroup')}
    NAMES = {'W5': 'W5,W5p', 'W8': 'W8,W8s'}

    def __init__(self, folder, build, words, field, samples):
        self.command = [sys.executable, os.path.join(folder, 'run.py'), '--build', build, '--rounds', '1',
                        '--ours', shlex.join(word.format(**field.places) for word in plan.OURS.command)] + words
        self.field, self.samples = field, samples
        samples.absent = {name: why for name, why in samples.absent.items() if name == 'limits'}

    def round(self, workload, round_number):
        with tempfile.TemporaryDirectory() as folder:
            raw, out = os.path.join(folder, 'raw'), os.path.join(folder, 'out')
            done = subprocess.run(
                self.command + ['--only', self.NAMES.get(workload, workload), '--raw', raw, '--out', out],
                env=self.field.environment, start_new_session=True)
            if done.returncode:
                self.samples.error('run.py', '%s: exit code %d' % (workload, done.returncode))
            for line in open(raw) if os.path.exists(raw) else ():
                # workload peer round variant metric unit value share
                words = line.split()
                self.samples.kinds[words[1]] = self.kind(workload, words[1])
                self.samples.add(words[1], round_number, words[3], words[4], float(words[6]))
                self.samples.foreign.append(float(words[7]))
            for line in open(out) if os.path.exists(out) else ():
                self.note(json.loads(line))
        self.field.round(workload, round_number, only='limits')

    def kind(self, workload, name):
        if name == 'ours':
            return 'ours'
        if workload == 'W9':
            return 'jobs'
        return 'threads' if name in self.KINDS['threads'] else 'processes'

    def note(self, line):
        why = line.get('error')
        if why and (why.startswith('absent') or 'No such file' in why or 'ModuleNotFoundError' in why):
            self.samples.absent[line['peer']] = why.removeprefix('absent: ')
        elif why:
            self.samples.error(line['peer'], '%s: %s' % (line['workload'], why))
