"""The peer `futures`: concurrent.futures.ProcessPoolExecutor."""
from concurrent.futures import ProcessPoolExecutor, as_completed

import common


def submit_each(pool, work, items, count, chunk):
    return (future.result() for future in as_completed([pool.submit(work, item) for item in items]))


class Futures(common.Peer):
    streaming = 'map'
    chunk1_items = 10000
    calls = (
        common.Call('map', lambda pool, f, items, n, chunk: pool.map(f, items, chunksize=chunk or 1), ordered=True,
                    own_chunks=False),
        common.Call('submit', submit_each, ordered=False, own_chunks=False, takes_chunks=False),
    )

    def open(self):
        return ProcessPoolExecutor(common.WORKERS)

    def close(self, pool):
        pool.shutdown()

    def models(self):
        def run():
            results = []
            with ProcessPoolExecutor(common.WORKERS, initializer=common.load_model) as pool:
                for _ in range(50):
                    results += pool.map(common.evaluate, range(10))
            return results
        return {'initializer': run}


if __name__ == '__main__':
    Futures().main()
