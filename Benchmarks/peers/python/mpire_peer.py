"""The peer `mpire`: MPIRE's WorkerPool, with workers that outlive a call, as those of the other pools do."""
from mpire import WorkerPool

import common


def load(state):
    state['model'] = common.spin(7, 31400000)


def evaluate(state, i):
    return common.spin(state['model'] ^ i, 1256000)


def call(name, ordered):
    return common.Call(name, lambda pool, f, items, n, chunk: getattr(pool, name)(
        f, items, iterable_len=n, chunk_size=chunk), ordered=ordered)


class MPIRE(common.Peer):
    streaming = 'imap_unordered'
    chunk1_items = 20000
    calls = (call('map', True), call('imap_unordered', False))

    def open(self):
        return WorkerPool(n_jobs=common.WORKERS, keep_alive=True)

    def close(self, pool):
        pool.stop_and_join()

    def models(self):
        def run():
            results = []
            with WorkerPool(n_jobs=common.WORKERS, use_worker_state=True, keep_alive=True) as pool:
                for _ in range(50):
                    results += pool.imap_unordered(evaluate, range(10), worker_init=load)
            return results
        return {'worker_state': run}


if __name__ == '__main__':
    MPIRE().main()
