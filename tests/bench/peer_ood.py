#!/usr/bin/env python3
"""The same work as bench_ood with numpy (OpenBLAS), SciPy and scikit-learn on one core: microseconds a record,
batches of 4096, double. What is not installed is left out; `pip install numpy scipy scikit-learn pyod`."""
import os
import time

for name in ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[name] = '1'
ROWS = 4096


def cost(work, rows=ROWS):
    best = 1e9
    for _ in range(3):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best / rows * 1e6


def line(text, peer, work, rows=ROWS):
    print(f'{text:<40} {cost(work, rows):>10.3f}   {peer}', flush=True)


def main():
    try:
        import numpy as np
    except ImportError:
        print('\npeers: numpy is not installed')
        return
    print('\npeers, one core, double')
    random = np.random.default_rng(1)
    for classes in (10, 100, 1000):
        z = random.random((ROWS, classes))

        def five():
            top = np.partition(z, -2, axis=1)[:, -2:]
            e = np.exp(z - top[:, 1:])
            total = e.sum(axis=1)
            p = e / total[:, None]
            return (-p.max(axis=1), -top[:, 1], -top[:, 1] - np.log(total),
                    np.log(total) - (p * (z - top[:, 1:])).sum(axis=1), top[:, 0] - top[:, 1])
        line(f'msp+maxlogit+energy+entropy+margin, {classes}', f'numpy {np.__version__}', five)
    z = random.random((ROWS, 100))

    def gen():
        p = np.exp(z - np.log(np.exp(z).sum(axis=1))[:, None])
        return ((p * (1 - p)) ** 0.1).sum(axis=1)
    line('gen, 100 classes', 'numpy', gen)
    for d in (64, 128, 256, 512, 768, 1024, 2048):
        x, w = random.random((ROWS, d)), np.tril(random.random((d, d)))

        def whiten():
            y = (x - 0.5) @ w.T
            return (y * y).sum(axis=1)
        line(f'mds, {d} columns, one mean', 'numpy, OpenBLAS dgemm', whiten)
    try:
        from sklearn.neighbors import NearestNeighbors
        for n, d in ((1000, 512), (1000, 2048), (5000, 512), (5000, 2048)):
            bank, x = random.random((n, d)), random.random((ROWS, d))
            found = NearestNeighbors(n_neighbors=5, algorithm='brute').fit(bank)
            line(f'knn, {n} rows, {d} columns', 'scikit-learn brute', lambda: found.kneighbors(x))
    except ImportError:
        print('scikit-learn is not installed')
    table = np.sort(random.random((4096, 50)), axis=0)
    x = random.random((ROWS, 50))

    def ecod():
        total = 0
        for f in range(50):
            left = np.searchsorted(table[:, f], x[:, f], 'right')
            right = 4096 - np.searchsorted(table[:, f], x[:, f], 'left')
            total = total + np.maximum(-np.log((left + 1) / 4097), -np.log((right + 1) / 4097))
        return total
    line('ecod, 50 features, 4096 values each', 'numpy searchsorted', ecod)
    line('p-value among 10000', 'numpy searchsorted',
         lambda s=np.sort(random.random(10000)), v=random.random(ROWS): np.searchsorted(s, v))
    try:
        from pyod.models.ecod import ECOD
        x = random.random((ROWS, 50))
        fitted = ECOD().fit(random.random((4096, 50)))
        line('ecod, 50 features, 4096 rows', 'PyOD ECOD.decision_function', lambda: fitted.decision_function(x))
    except ImportError:
        print('PyOD is not installed')


if __name__ == '__main__':
    main()
