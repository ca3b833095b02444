#!/usr/bin/env python3
"""AUROC and both FPR95 of `driftd score` against the figures that came with the data.

    check_ood.py DRIFTD DATA_DIR

DATA_DIR holds truth.json, digits, satellite and producers; a set that is not there is read below
$DRIFTD_SHARED/data, or skipped with a line that says so. Out of distribution is positive, ties count 1/2;
fpr_id = share of in-distribution scores at or above the threshold that catches 95 % of the others, miss_ood =
share of the others at or below the threshold that keeps 95 % of the in-distribution ones. Every figure must
agree to 1e-4. The banks of these figures are whole files: they become the odd rows of the reference, and the
covariances are S + 1e-3 mu I. Ends with `N passed, N failed`."""
import csv
import gzip
import io
import json
import math
import os
import subprocess
import sys
import tempfile

TOLERANCE = 1e-4
passed = failed = 0
DRIFTD = None


def check(name, got, want):
    global passed, failed
    good = abs(got - want) <= TOLERANCE
    passed += good
    failed += not good
    print(f'{"ok  " if good else "FAIL"} {name:58} {got:.6f} {want:.6f}')


def read(path):
    with gzip.open(path, 'rt') as f:
        return [json.loads(line) for line in f]


def score(name, records, bank=None, **params):
    """The scores of the records; `bank` is what they are compared with."""
    args = [DRIFTD, 'score', name]
    for key, value in params.items():
        args += ['-p', f'{key}={value}']
    with tempfile.TemporaryDirectory() as folder:
        if bank is not None:
            reference = os.path.join(folder, 'reference')
            with open(reference, 'w') as f:
                for row in bank:  # one fits, its copy calibrates: p-values are not looked at here
                    f.write(json.dumps(row) + '\n' + json.dumps(row) + '\n')
            args += ['--reference', reference]
        lines = ''.join(json.dumps(r) + '\n' for r in records)
        done = subprocess.run(args, input=lines, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f'{" ".join(args)}: {done.returncode}\n{done.stderr}')
    return [float(row['score']) for row in csv.DictReader(io.StringIO(done.stdout))]


def auroc(inside, outside):
    """Mann-Whitney with mid-ranks."""
    both = sorted([(s, 0) for s in inside] + [(s, 1) for s in outside])
    rank_sum, i = 0.0, 0
    while i < len(both):
        j = i
        while j < len(both) and both[j][0] == both[i][0]:
            j += 1
        rank_sum += sum(which for _, which in both[i:j]) * (i + j + 1) / 2
        i = j
    n = len(outside)
    return (rank_sum - n * (n + 1) / 2) / (n * len(inside))


def figures(inside, outside):
    caught = sorted(outside, reverse=True)[math.ceil(0.95 * len(outside)) - 1]
    kept = sorted(inside)[math.ceil(0.95 * len(inside)) - 1]
    return {'auroc': auroc(inside, outside),
            'fpr_id_at_tpr95_ood': sum(s >= caught for s in inside) / len(inside),
            'miss_ood_at_tpr95_id': sum(s <= kept for s in outside) / len(outside)}


def compare(name, scores, kinds, truth):
    """kinds: 'id' or the kind of each record; truth: figures by kind, and for all."""
    inside = [s for s, kind in zip(scores, kinds) if kind == 'id']
    for part, want in truth.items():
        if isinstance(want, dict) and 'auroc' in want:
            outside = [s for s, kind in zip(scores, kinds) if kind != 'id' and part in ('all', kind)]
            for figure, value in figures(inside, outside).items():
                check(f'{name} {part} {figure}', value, want[figure])


def only(records, field, rename=None):
    return [{k: v for k, v in (('id', r['id']), (rename or field, r[field]), ('label', r.get('label')))
             if v is not None} for r in records]


def vectors(records, field):
    """Features as an embedding, or the other way round."""
    return [{'id': r['id'], 'label': r.get('label'), 'embedding': list(r[field].values())} for r in records]


def digits(folder, truth):
    stream, bank = read(f'{folder}/stream.jsonl.gz'), read(f'{folder}/train.jsonl.gz')
    kinds = [row['kind'] for row in csv.DictReader(gzip.open(f'{folder}/ood_truth.csv.gz', 'rt'))]
    logits = only(stream, 'logits')
    probs = [{'id': r['id'], 'probs': r['prediction']['probs']} for r in stream]
    embedding, train = only(stream, 'embedding'), only(bank, 'embedding')
    pixels, train_pixels = vectors(stream, 'features'), vectors(bank, 'features')
    scores = {
        'msp': score('msp', probs), 'margin': score('margin', probs),
        'entropy': score('entropy', logits), 'maxlogit': score('maxlogit', logits),
        'energy': score('energy', logits),
        'mahalanobis_embedding': score('mds', embedding, train, ridge=0.001),
        'mahalanobis_pixels': score('mds', pixels, train_pixels, ridge=0.001),
        'knn10_embedding_unit': score('knn', embedding, train, k=10),
        'knn10_embedding': score('knn', embedding, train, k=10, space='none'),
        'knn10_pixels': score('knn', pixels, train_pixels, k=10, space='none')}
    for name, values in scores.items():
        compare(f'digits {name}', values, kinds, truth['scores'][name])


def satellite(folder, truth):
    stream, bank = read(f'{folder}/stream.jsonl.gz'), read(f'{folder}/reference.jsonl.gz')
    kinds = ['id' if row['ood'] == '0' else 'ood'
             for row in csv.DictReader(gzip.open(f'{folder}/ood_truth.csv.gz', 'rt'))]
    compare('satellite mahalanobis', score('mds', stream, bank, ridge=0.001), kinds,
            truth['scores']['mahalanobis'])
    compare('satellite knn10_z', score('knn', only(stream, 'embedding', 'features'),
                                       only(bank, 'embedding', 'features'), k=10), kinds,
            truth['scores']['knn10_z'])


def producers(folder):
    truth = json.load(open(f'{folder}/truth.json'))['files']
    flags = {(f['file'], f['id']): f['ood'] for f in read(f'{folder}/flags.jsonl.gz')}
    for file, model in (('mcdropout', 'digits-mcdropout-torch'), ('ensemble', 'digits-deepens-torch'),
                        ('tfp', 'digits-flipout-tfp'), ('dirichlet', 'digits-evidential-torch'),
                        ('laplace', 'digits-laplace-torch')):
        path = f'{folder}/{file}.jsonl.gz'
        if not os.path.exists(path):
            path = os.path.join(os.environ.get('DRIFTD_SHARED', '.'), 'data', 'producers', f'{file}.jsonl.gz')
        if not os.path.exists(path):
            print(f'skipped: producers/{file}, which is not here (DRIFTD_SHARED)')
            continue
        records = [r for r in read(path) if r['model'] == model]
        want = truth[f'{file}.jsonl.gz']['models'][model]['auroc_ood']
        probs = [{'id': r['id'], 'probs': r['prediction']['probs']} for r in records]
        scores = {'total_entropy': score('entropy', probs), 'one_minus_maxprob': score('msp', probs)}
        if 'energy' in want:
            logits = only(records, 'logits')
            scores.update(energy=score('energy', logits), neg_max_logit=score('maxlogit', logits))
        if 'mahalanobis' in want:
            bank = read(f'{folder}/mcdropout.reference.jsonl.gz')
            scores.update(mahalanobis=score('mds', records, bank, ridge=0.001),
                          knn10=score('knn', records, bank, k=10, space='none'))
        for name, values in scores.items():
            parts = [[s for s, r in zip(values, records) if flags[file, r['id']] == ood] for ood in (0, 1)]
            check(f'{model} {name} auroc', auroc(*parts), want[name])


def main():
    global DRIFTD
    DRIFTD, data = sys.argv[1:3]
    shared = os.path.join(os.environ.get('DRIFTD_SHARED', '.'), 'data')
    for name, run in (('digits', digits), ('satellite', satellite), ('producers', producers)):
        place = data if os.path.isdir(os.path.join(data, name)) else shared
        folder = os.path.join(place, name)
        if not os.path.isdir(folder):
            print(f'skipped: {name}, which is neither in {data} nor below DRIFTD_SHARED')
        elif name == 'producers':
            run(folder)
        else:
            run(folder, json.load(open(os.path.join(place, 'truth.json')))['sets'][name]['ood'])
    print(f'{passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
