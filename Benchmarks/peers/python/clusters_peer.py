"""The peers of W16, which can all have workers on other machines, here with two on this one: `clusters_peer.py NAME W16 REPS`.

A peer is a function that yields `submit(function, items)`, whose result is waited for by `result(future)`; chunks, window and clock are the
same for all. It stands in the plan under its name, and whatever it is made of stands in `setup`.
"""
import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque

import common

WINDOW = 64


def add_one(items): return [item + 1 for item in items]
def digest(items): return [common._kernel.kernel_sum(item, len(item)) for item in items]


@contextlib.contextmanager
def multiprocessing_peer():
    with multiprocessing.Pool(common.WORKERS) as pool:
        yield lambda function, items: pool.apply_async(function, (items,)), lambda future: future.get()


# RPyC: a server a worker. Tuples go by value, lists would be looked at from afar.

def serve_rpyc(port, ready):
    import rpyc
    from rpyc.utils.server import OneShotServer

    class Service(rpyc.Service):
        exposed_add_one = staticmethod(lambda items: tuple(add_one(items)))
        exposed_digest = staticmethod(lambda items: tuple(digest(items)))

    server = OneShotServer(Service, hostname='127.0.0.1', port=port)
    ready.put(server.port)
    server.start()


@contextlib.contextmanager
def rpyc_peer():
    import rpyc
    ready, calls, connections, processes = multiprocessing.Queue(), [], [], []
    for _ in range(common.WORKERS):
        processes.append(multiprocessing.Process(target=serve_rpyc, args=(0, ready), daemon=True))
        processes[-1].start()
        connections.append(rpyc.connect('127.0.0.1', ready.get(), config={'sync_request_timeout': None}))
        calls.append({function: rpyc.async_(getattr(connections[-1].root, function.__name__))
                      for function in (add_one, digest)})
    turn = 0

    def submit(function, items):
        nonlocal turn
        turn += 1
        return calls[turn % len(calls)][function](tuple(items))

    yield submit, lambda future: future.value
    for connection in connections:
        connection.close()
    for process in processes:
        process.join()


@contextlib.contextmanager
def ray_peer():
    import logging
    import ray
    ray.init(num_cpus=common.WORKERS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    remote = {function: ray.remote(function) for function in (add_one, digest)}
    yield lambda function, items: remote[function].remote(items), ray.get
    ray.shutdown()


@contextlib.contextmanager
def dask_peer():
    from dask.distributed import Client, LocalCluster
    with LocalCluster(n_workers=common.WORKERS, threads_per_worker=1, dashboard_address=None) as cluster, \
            Client(cluster) as client:
        yield (lambda function, items: client.submit(function, items, pure=False)), lambda future: future.result()


@contextlib.contextmanager
def mpi4py_peer():
    from mpi4py.futures import MPIPoolExecutor
    with MPIPoolExecutor(max_workers=common.WORKERS) as pool:
        yield pool.submit, lambda future: future.result()


def celery_app(url):
    from celery import Celery
    app = Celery('peer', broker=url, backend=url)
    # As little as it can do, and pickled, for bytes are no JSON.
    app.conf.update(task_serializer='pickle', result_serializer='pickle', accept_content=['pickle'],
                    worker_hijack_root_logger=False, task_ignore_result=False)
    return app, {function: app.task(function, name=function.__name__) for function in (add_one, digest)}


@contextlib.contextmanager
def celery_peer():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
                                  stdout=subprocess.DEVNULL)
        url = 'redis://127.0.0.1:%d/0' % port
        while subprocess.run(['redis-cli', '-p', str(port), 'ping'], capture_output=True).stdout != b'PONG\n':
            time.sleep(0.05)
        worker = subprocess.Popen([sys.executable, __file__, 'celery', 'worker', url], cwd=folder,
                                  env=dict(os.environ, C_FORCE_ROOT='1'), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, tasks = celery_app(url)
        try:
            yield lambda function, items: tasks[function].delay(items), lambda future: future.get()
        finally:
            worker.terminate()
            worker.wait()
            server.terminate()
            server.wait()


def serve_celery(url):
    app, _ = celery_app(url)
    app.worker_main(['worker', '--loglevel=ERROR', '--concurrency=%d' % common.WORKERS, '--without-gossip',
                     '--without-mingle', '--without-heartbeat'])


def stream(peer, function, chunks):
    submit, result = peer
    pending = deque()
    for chunk in chunks:
        if len(pending) == WINDOW:
            yield from result(pending.popleft())
        pending.append(submit(function, chunk))
    while pending:
        yield from result(pending.popleft())


def measure(peer, slowness):
    """slowness: by how many times fewer items, for peers that would take minutes."""
    submit, result = peer
    trips = 500 // slowness
    start = time.monotonic()
    for item in range(trips):
        result(submit(add_one, [item]))
    common.report('W16.trip', 'seconds', 's', (time.monotonic() - start) / trips)
    for variant, count, size in (('W16.one', 20000, 1), ('W16.hundred', 1000000, 100)):
        count //= slowness
        with common.Clock(variant, count):
            total = sum(stream(peer, add_one, (list(range(i, i + size)) for i in range(0, count, size))))
        common.check(variant, total == count * (count + 1) // 2)
    blocks, block = 200 // slowness, b'\7' * (1 << 20)
    with common.Clock('W16.digest', blocks, 'MiB/s'):
        sums = list(stream(peer, digest, ([block] for _ in range(blocks))))
    common.check('W16.digest', sums == digest([block]) * blocks)


PEERS = {'apply_async': (multiprocessing_peer, 1), 'rpyc': (rpyc_peer, 1), 'ray': (ray_peer, 10), 'dask': (dask_peer, 10),
         'mpi4py': (mpi4py_peer, 1), 'celery': (celery_peer, 10)}


def main():
    name, *words = sys.argv[1:] or ['']
    if name == 'celery' and words[:1] == ['worker']:
        return serve_celery(words[1])
    if name not in PEERS or len(words) != 2 or words[0] != 'W16' or not words[1].isdigit():
        sys.exit('usage: clusters_peer.py %s W16 REPS' % '|'.join(PEERS))
    open_peer, slowness = PEERS[name]
    with open_peer() as peer:
        peer[1](peer[0](add_one, [1]))
        for _ in range(int(words[1])):
            measure(peer, slowness)


if __name__ == '__main__':
    main()
