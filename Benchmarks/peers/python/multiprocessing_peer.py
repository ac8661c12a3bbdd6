"""The peer `multiprocessing`: the Pool of the standard library."""
from multiprocessing import Pool

import common


class Multiprocessing(common.Peer):
    streaming = 'imap_unordered'
    calls = (
        common.Call('map', lambda pool, f, items, n, chunk: pool.map(f, items, chunk), ordered=True),
        common.Call('imap', lambda pool, f, items, n, chunk: pool.imap(f, items, chunk or 1), ordered=True,
                    own_chunks=False),
        common.Call('imap_unordered', lambda pool, f, items, n, chunk: pool.imap_unordered(f, items, chunk or 1),
                    ordered=False, own_chunks=False),
    )

    def open(self):
        return Pool(common.WORKERS)

    def close(self, pool):
        pool.close()
        pool.join()

    def models(self):
        def run():
            pool, results = Pool(common.WORKERS, common.load_model), []
            for _ in range(50):
                results += pool.imap_unordered(common.evaluate, range(10))
            self.close(pool)
            return results
        return {'initializer': run}


if __name__ == '__main__':
    Multiprocessing().main()
