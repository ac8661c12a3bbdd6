"""The peer `queues`: a pipeline as one writes it by hand, a process a stage and queues of the standard library between them."""
import multiprocessing
import sys

import common

TRIVIAL, CPU = 200000, 20000
END = None


def plus(x): return x + 1
def triple(x): return x * 3
def flip(x): return x ^ 0x55
def minus(x): return x - 7
def spin7(x): return common.spin(x, 7000)
def spin42(x): return common.spin(x, 42000)


def stage(function, source, target):
    for item in iter(source.get, END):
        target.put(function(item))
    target.put(END)


def feed(target, items):
    for item in items:
        target.put(item)
    target.put(END)


def run(functions, items):
    queues = [multiprocessing.Queue(1024) for _ in range(len(functions) + 1)]
    processes = [multiprocessing.Process(target=feed, args=(queues[0], items))]
    processes += [multiprocessing.Process(target=stage, args=(function, queues[i], queues[i + 1]))
                  for i, function in enumerate(functions)]
    for process in processes:
        process.start()
    results = list(iter(queues[-1].get, END))
    for process in processes:
        process.join()
    return results


def main():
    if len(sys.argv) < 3 or sys.argv[1] != 'W7' or not sys.argv[2].isdigit():
        sys.exit('usage: PEER W7 REPS')
    for _ in range(int(sys.argv[2])):
        with common.Clock('W7.trivial', TRIVIAL):
            results = run([plus, triple, flip, minus], range(TRIVIAL))
        common.check('W7.trivial', sum(results) == 59998901280)
        with common.Clock('W7.cpu', CPU):
            results = run([spin7, spin7, spin42, spin7], range(1, CPU + 1))
        xor = 0
        for result in results:
            xor ^= result
        common.check('W7.cpu', xor == 3521433517011615559)


if __name__ == '__main__':
    main()
