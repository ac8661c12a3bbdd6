"""The peers: how each is called, and for which workloads.

A peer is a line here and a program that speaks the contract (Benchmarks/README.md). `{folder}` is where the setup script
has put what it built, `{peers}` is this folder, `{swift}` is where the Benchmarks package was built.
"""
from collections import namedtuple

# kind: what its workers are, 'threads', 'processes' or 'jobs'; it is compared with ours of that kind.
# needs: files without which it is absent, and modules of the Python in `{folder}/venv`.
# workloads: for each the words that follow the workload's name, one list a call.
# is_timed: it is no program of the contract but a plain command, `COMMAND KIND COUNT`, whose time we take (W9).
Peer = namedtuple('Peer', 'name kind command needs workloads is_timed')

W3_TO_W6 = {'W2': [['1']], 'W3': [['1']], 'W4': [['1']], 'W5': [['1']], 'W6': [['5'], ['5', 'ballast=1024']]}
STALLED = ['1', 'mode=stalled']
# As the first thing that a program does: each time a program of its own.
FIRST_CALLS = {'W13': [['1']] * 20}
SMALL = {'W11': [['1']], 'W14': [['3']]}


def threads(name, program, **more):
    return Peer(name, 'threads', [program], [program], {'W1': [['3']], 'W2': [['1']], **more}, False)


def processes(name, module, **more):
    python = '{folder}/venv/bin/python'
    return Peer(name, 'processes', [python, '{peers}/python/%s_peer.py' % name],
                [python, '{folder}/libkernel.so', 'module:' + module], {**W3_TO_W6, **more}, False)


def clusters(name, module, before=(), options=(), needs=()):
    python = '{folder}/venv/bin/python'
    return Peer(name, 'clusters', [*before, python, *options, '{peers}/python/clusters_peer.py', name],
                [python, '{folder}/libkernel.so', 'module:' + module, *needs], {'W16': [['1']]}, False)


def jobs(name, command):
    return Peer(name, 'jobs', ['{peers}/shell/' + name], ['command:' + command],
                {'W9': [['true'], ['echo'], ['shell']]}, True)


PEERS = [
    threads('openmp', '{folder}/openmp', **FIRST_CALLS),
    threads('tbb', '{folder}/tbb', **FIRST_CALLS, **SMALL, W7=[['3']], W12=[['3']]),
    threads('dispatch', '{swift}/peer-dispatch', **FIRST_CALLS, **SMALL, W10=[['1']], W12=[['3']]),
    threads('taskgroup', '{swift}/peer-taskgroup'),
    processes('multiprocessing', 'multiprocessing', W8=[['1'], STALLED], W10=[['1']], **SMALL),
    processes('futures', 'concurrent.futures', W8=[['1', 'n=5000000']]),
    # Half a minute for these; they grow by the item or not at all, so less tells as much.
    processes('mpire', 'mpire', W8=[['1', 'n=5000000'], STALLED + ['m=30000']]),
    processes('joblib', 'joblib', W8=[['1', 'n=5000000']]),
    Peer('go', 'threads', ['{folder}/pipeline'], ['{folder}/pipeline'], {'W7': [['3']]}, False),
    Peer('queues', 'processes', ['{folder}/venv/bin/python', '{peers}/python/queues_peer.py'],
         ['{folder}/venv/bin/python', '{folder}/libkernel.so'], {'W7': [['1']]}, False),
    clusters('apply_async', 'multiprocessing'), clusters('rpyc', 'rpyc'), clusters('ray', 'ray'),
    clusters('dask', 'distributed'), clusters('celery', 'celery', needs=('command:redis-server',)),
    clusters('mpi4py', 'mpi4py', before=('mpiexec', '--allow-run-as-root', '--oversubscribe', '-n', '3'),
             options=('-m', 'mpi4py.futures'), needs=('command:mpiexec',)),
    jobs('xargs', 'xargs'),
    jobs('gnu-parallel', 'parallel'),
]

# What the hardware allows. Not a peer: nobody is compared with it, all are measured by it.
LIMITS = Peer('limits', 'limits', ['{folder}/limits'], ['{folder}/limits'], {
    'W1': [['3']], 'W3': [['1']], 'W4': [['1']], 'W5': [['1']], 'W6': [['5']],
    'W9': [['1', 'kind=true'], ['1', 'kind=echo'], ['1', 'kind=shell']], 'W15': [['1']]}, False)

# Millrace itself, on clusters: a program of the main package's, for it needs a trait.
OURS_ON_CLUSTERS = Peer('ours', 'ours', ['{cluster}/ClusterMeter'], ['{cluster}/ClusterMeter', 'command:redis-server'],
                        {'W16': [['1']]}, False)

# Millrace itself.
OURS = Peer('ours', 'ours', ['{swift}/millrace-bench'], ['{swift}/millrace-bench'], {
    'W1': [['3']], 'W2': [['1']], 'W3': [['1']], 'W4': [['1']], 'W5': [['1']],
    'W6': [['5'], ['5', 'ballast=1024']], 'W7': [['3']], 'W8': [['1'], STALLED], 'W10': [['1']], 'W12': [['3']], **FIRST_CALLS, **SMALL,
    'W15': [['1']], 'W9': [['1', 'kind=true'], ['1', 'kind=echo'], ['1', 'kind=shell']]}, False)
