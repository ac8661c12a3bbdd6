"""What the Python peers share: the workloads, the clock and the lines of the contract.

A peer is a subclass of Peer in a file of its own: how its pool is opened and closed, and its map calls. Two workers.
The work functions are C, in libkernel.so, which the setup script puts beside the other peers' programs (PEERS_BUILD).
"""
import ctypes
import gc
import os
import sys
import time

WORKERS = 2

_kernel = ctypes.CDLL(os.path.join(os.environ['PEERS_BUILD'], 'libkernel.so'))
_kernel.kernel_spin.restype = ctypes.c_uint64
_kernel.kernel_spin.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
_kernel.kernel_sum.restype = ctypes.c_uint64
_kernel.kernel_sum.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_kernel.kernel_xor.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
_kernel.kernel_fill.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
_kernel.kernel_pareto.argtypes = [ctypes.POINTER(ctypes.c_uint64)]
spin = _kernel.kernel_spin


class Call:
    """A way to map: `run(pool, function, items, count, chunk)`, where a chunk of None is the peer's own choice."""

    def __init__(self, name, run, ordered, own_chunks=True, takes_chunks=True):
        self.name, self.run, self.ordered = name, run, ordered
        self.own_chunks, self.takes_chunks = own_chunks, takes_chunks


class Peer:
    calls = ()
    streaming = None            # the name of the call that W4 and W8 use
    chunk1_items = 100000       # fewer, where items one at a time are slow

    def open(self):
        raise NotImplementedError

    def close(self, pool):
        raise NotImplementedError

    def models(self):
        """W5.init: {variant: function}, which runs everything and returns the results."""
        return {}

    def call(self, name):
        return next(call for call in self.calls if call.name == name)

    def opened(self, call):
        """A pool whose workers have begun, with the call that is to be measured."""
        pool = self.open()
        list(call.run(pool, square, range(8), 8, 1))
        return pool

    def main(self):
        if len(sys.argv) < 3 or 'run_' + sys.argv[1] not in globals() or not sys.argv[2].isdigit():
            sys.exit('usage: PEER W2|W3|W4|W5|W6|W8|W10|W11|W14 REPS [key=value ...]')
        options = dict(argument.split('=', 1) for argument in sys.argv[3:])
        globals()['run_' + sys.argv[1]](self, int(sys.argv[2]), options)


def report(variant, metric, unit, value):
    print('R', variant, metric, unit, repr(float(value)), flush=True)


def check(variant, is_right):
    if not is_right:
        print('E', variant, 'wrong results', flush=True)


class Clock:
    """Times what is done inside `with`."""

    def __init__(self, variant, amount=None, unit='items/s'):
        self.variant, self.amount, self.unit = variant, amount, unit

    def __enter__(self):
        gc.collect()
        self.start = time.monotonic()

    def __exit__(self, kind, error, trace):
        seconds = time.monotonic() - self.start
        if error is None:
            report(self.variant, 'seconds', 's', seconds)
            if self.amount:
                report(self.variant, 'rate', self.unit, self.amount / seconds)


# What the workers do.

def square(x):
    return x * x + 1


def _rounds():
    numbers = (ctypes.c_uint64 * 20000)()
    _kernel.kernel_pareto(numbers)
    return list(numbers)


ROUNDS = {'shuffled': _rounds()}
ROUNDS['ascending'] = sorted(ROUNDS['shuffled'])


def spin_shuffled(i):
    return spin(i + 1, ROUNDS['shuffled'][i])


def spin_ascending(i):
    return spin(i + 1, ROUNDS['ascending'][i])


def xored(data):
    result = bytes(len(data))   # new, and filled before anybody else sees it
    _kernel.kernel_xor(result, data, len(data))
    return result


_model = None


def load_model():
    global _model
    _model = spin(7, 31400000)


def evaluate(i):
    return spin(_model ^ i, 1256000)


def load_once_and_evaluate(i):
    """For pools without worker state: the model is a global of the worker."""
    if _model is None:
        load_model()
    return evaluate(i)


# The workloads.

def run_W2(peer, repetitions, options):
    for order, work, expected in (('shuffled', spin_shuffled, 7601073114737665251),
                                  ('ascending', spin_ascending, 4476588077045495321)):
        def checksum(variant, results, repetition):
            value = 0
            for result in results:
                value ^= result
            if repetition == 0:
                print('C', variant, value, flush=True)
            check(variant, value == expected)

        variant = 'W2.%s.serial' % order
        for repetition in range(repetitions):
            with Clock(variant):
                results = [work(i) for i in range(20000)]
            checksum(variant, results, repetition)
        for call in peer.calls:
            for label, chunk in [('chunk1', 1)] + ([('default', None)] if call.own_chunks else []):
                variant = 'W2.%s.%s.%s' % (order, call.name, label)
                pool = peer.opened(call)
                for repetition in range(repetitions):
                    with Clock(variant):
                        results = list(call.run(pool, work, range(20000), 20000, chunk))
                    checksum(variant, results, repetition)
                peer.close(pool)


def run_W3(peer, repetitions, options):
    for call in peer.calls:
        plans = [('chunk1', 1, peer.chunk1_items)]
        plans += [('default', None, 1000000)] if call.own_chunks else []
        plans += [('chunk1000', 1000, 1000000)] if call.takes_chunks else []
        pool = peer.opened(call)
        for label, chunk, count in plans:
            variant = 'W3.%s.%s' % (call.name, label)
            for _ in range(repetitions):
                with Clock(variant, count):
                    results = list(call.run(pool, square, range(count), count, chunk))
                check(variant, (results if call.ordered else sorted(results)) == [square(i) for i in range(count)])
                del results
        peer.close(pool)


def run_W4(peer, repetitions, options):
    call = peer.call(peer.streaming)
    for mebibytes, count in ((1, 1000), (32, 100)):
        count = min(count, int(options.get('items', count)))
        size, variant = mebibytes << 20, 'W4.%dMiB' % mebibytes
        buffers = []
        for b in range(16):
            data = bytes(size)
            _kernel.kernel_fill(data, size, b + 1)
            buffers.append(data)
        sums = [_kernel.kernel_sum(xored(data), size) for data in buffers]
        expected = sum(sums[i % 16] for i in range(count)) % 2 ** 64
        pool = peer.opened(call)
        for _ in range(repetitions):
            total = 0
            with Clock(variant, mebibytes * count, 'MiB/s'):
                for data in call.run(pool, xored, (buffers[i % 16] for i in range(count)), count, 1):
                    total += _kernel.kernel_sum(data, size)
            check(variant, total % 2 ** 64 == expected)
        peer.close(pool)


def run_W5(peer, repetitions, options):
    load_model()
    expected = sorted(evaluate(i) for i in range(10)) * 50
    for name, run in peer.models().items():
        for _ in range(repetitions):
            with Clock('W5.init.' + name):
                results = run()
            check('W5.init.' + name, sorted(results) == sorted(expected))


def run_W6(peer, repetitions, options):
    mebibytes = int(options.get('ballast', 0))
    ballast = b'\1' * (mebibytes << 20)
    variant = 'W6' if not ballast else 'W6.parent_1GiB' if mebibytes == 1024 else 'W6.parent_%dMiB' % mebibytes
    for _ in range(repetitions):
        with Clock(variant):
            pool = peer.open()
            results = list(peer.calls[0].run(pool, square, [1, 2], 2, 1))
            peer.close(pool)
        check(variant, sorted(results) == [2, 5])


def _status(key):
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))


def identity(item):
    return item


def run_W10(peer, repetitions, options):
    """An item each so often, one by one, as each peer's lazy call takes them."""
    call = peer.call(peer.streaming)
    pool = peer.opened(call)
    for name, gap, count in (('1ms', 0.001, 1000), ('20ms', 0.02, 100), ('500ms', 0.5, 8)):
        def source():
            for _ in range(count):
                time.sleep(gap)
                yield time.monotonic()
        for _ in range(repetitions):
            latencies = sorted(time.monotonic() - made for made in call.run(pool, identity, source(), count, 1))
            report('W10.live.' + name, 'p50', 's', latencies[count // 2])
            report('W10.live.' + name, 'p99', 's', latencies[min(count - 1, count * 99 // 100)])
    peer.close(pool)


def _small_calls(peer, repetitions, variant, items, maps):
    call = peer.calls[0]
    pool, numbers = peer.opened(call), list(range(items))
    expected = [square(number) for number in numbers]
    for _ in range(repetitions):
        start, is_right = time.monotonic(), True
        for _ in range(maps):
            is_right = list(call.run(pool, square, numbers, items, None)) == expected and is_right
        report(variant, 'seconds', 's', (time.monotonic() - start) / maps)
        check(variant, is_right)
    peer.close(pool)


def run_W11(peer, repetitions, options):
    _small_calls(peer, repetitions, 'W11.one', 2, 2000)


def run_W14(peer, repetitions, options):
    _small_calls(peer, repetitions, 'W14.thousand', 1000, 256)
    _small_calls(peer, repetitions, 'W14.one', 1, 1024)


def run_W8(peer, repetitions, options):
    call, drawn = peer.call(peer.streaming), 0
    pool = peer.opened(call)

    def source(count):
        nonlocal drawn
        for i in range(count):
            drawn = i + 1
            yield i

    base = _status('VmRSS:')
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')         # the peak is forgotten
    for _ in range(repetitions):
        if options.get('mode') == 'stalled':
            count = int(options.get('m', 300000))
            results = iter(call.run(pool, square, source(count), count, 1))
            next(results)
            time.sleep(2)
            report('W8.stalled.one', 'read_ahead', 'items', drawn)
            report('W8.stalled.one', 'rss_growth', 'MiB', _status('VmRSS:') - base)
            check('W8.stalled.one', sum(1 for _ in results) == count - 1)
        else:
            count, total = int(options.get('n', 50000000)), 0
            with Clock('W8', count):
                for result in call.run(pool, square, source(count), count, 10000):
                    total += result
            check('W8', total == (count - 1) * count * (2 * count - 1) // 6 + count)
            report('W8', 'peak_rss', 'MiB', _status('VmHWM:'))
            report('W8', 'peak_rss_over_start', 'MiB', _status('VmHWM:') - base)
    peer.close(pool)
