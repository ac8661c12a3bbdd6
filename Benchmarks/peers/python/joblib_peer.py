"""The peer `joblib`: Parallel with its own workers, loky's."""
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

import common


def call(name, ordered):
    def run(pool, work, items, count, chunk):
        pool.return_generator = name != 'list'
        pool.return_ordered = ordered
        pool.batch_size = chunk or 'auto'
        return pool(delayed(work)(item) for item in items)
    return common.Call(name, run, ordered=ordered)


class Joblib(common.Peer):
    streaming = 'generator_unordered'
    chunk1_items = 10000
    calls = (call('list', True), call('generator_unordered', False))

    def open(self):
        return Parallel(n_jobs=common.WORKERS).__enter__()

    def close(self, pool):
        pool.__exit__(None, None, None)
        get_reusable_executor().shutdown(wait=True)

    def models(self):
        def run():
            results = []
            with Parallel(n_jobs=common.WORKERS) as pool:
                for _ in range(50):
                    results += pool(delayed(common.load_once_and_evaluate)(i) for i in range(10))
            get_reusable_executor().shutdown(wait=True)
            return results
        return {'global': run}


if __name__ == '__main__':
    Joblib().main()
