"""Builds the programs, runs them, and says on what machine."""
import ctypes
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# What is inside the executables: nothing, Swift's libraries, those and the C library. Each has a folder of its own.
LINKINGS = {
    'dynamic': ('.build-dynamic', []),
    'static-stdlib': ('.build-static', ['--static-swift-stdlib']),
    'static-executable': ('.build-static-executable', ['--static-swift-stdlib', '-Xswiftc', '-static-executable']),
}


def build(linking, with_command=True, with_cluster=False):
    """Builds the benchmarks, and the command and what measures clusters if they are needed, in release; returns where each is."""
    scratch, static = LINKINGS[linking]
    paths = {}
    packages = [('swift', 'Benchmarks', scratch, [])]
    if with_command:
        packages.append(('command', '.', scratch, ['--product', 'millrace']))
    if with_cluster:
        # Another trait is another build of everything.
        packages.append(('cluster', '.', scratch + '-cluster', ['--traits', 'Cluster', '--product', 'ClusterMeter']))
    for name, package, scratch, product in packages:
        package = os.path.normpath(os.path.join(ROOT, package))
        command = ['swift', 'build', '--configuration', 'release', '--package-path', package,
                   '--scratch-path', os.path.join(package, scratch)] + static + product
        print('bench:', ' '.join(command), file=sys.stderr)
        if not shutil.which('swift') or subprocess.run(command, stdout=sys.stderr).returncode:
            print('bench: this could not be built', file=sys.stderr)
            sys.exit(1)
        paths[name] = os.path.join(package, scratch, 'release')
    return paths


def machine():
    model = platform.machine()
    with open('/proc/cpuinfo') as file:
        names = [line.partition(':')[2].strip() for line in file if line.startswith('model name')]
    swift = subprocess.run(['swift', '--version'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return {'cpu': names[0] if names else model, 'cpus': os.cpu_count(), 'kernel': platform.release(),
            'swift': swift.splitlines()[0] if swift else '', 'date': time.strftime('%Y-%m-%d')}


def busy_time():
    with open('/proc/stat') as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf('SC_CLK_TCK')


def own_time():
    return sum(usage.ru_utime + usage.ru_stime for usage in (
        resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)))


def reap():
    """Takes in what a program has left behind, which is ours since we are its subreaper; two seconds at most."""
    for _ in range(200):
        try:
            child, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            time.sleep(0.01)


def call(command, environment, samples, output=subprocess.PIPE):
    """Runs a program: its output and how long it took, or None and why it failed."""
    busy, own, start = busy_time(), own_time(), time.monotonic()
    try:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, env=environment, timeout=900,
                              start_new_session=True)
    except subprocess.TimeoutExpired:
        return None, 'took more than 900 s'
    except OSError as error:
        return None, str(error)
    seconds = time.monotonic() - start
    reap()
    foreign = (busy_time() - busy) - (own_time() - own)
    samples.foreign.append(max(0.0, foreign / ((time.monotonic() - start) * os.cpu_count())))
    if done.returncode:
        said = done.stderr.decode(errors='replace').strip().splitlines()
        # What went wrong may stand in the output, as a line of the contract.
        said += [line for line in (done.stdout or b'').decode(errors='replace').splitlines() if line.startswith('E ')]
        return None, 'exit code %d%s' % (done.returncode, ': ' + said[-1] if said else '')
    return (done.stdout or b'').decode(errors='replace').splitlines(), seconds


def adopt_orphans():
    """What a program leaves behind comes to us (PR_SET_CHILD_SUBREAPER), and its CPU time counts as ours."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def foreign_note(foreign):
    foreign = foreign or [0.0]
    return 'Other programs took %.0f %% of the CPUs at the median call, %.0f %% at the worst.' % (
        100 * statistics.median(foreign), 100 * max(foreign))


def machine_note(facts):
    return '%d × %s, Linux %s, %s; %s.' % (facts['cpus'], facts['cpu'], facts['kernel'], facts['swift'], facts['date'])
