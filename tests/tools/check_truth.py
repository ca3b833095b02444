#!/usr/bin/env python3
"""Compares replays of data sets with their truth.json: join counts, counts and means of features, and the
figures of labels, overall and in windows of records.

    check_truth.py DRIFTD DATA_DIR [SET...]

DATA_DIR holds truth.json and a folder for each set (meta.json, stream.jsonl.gz, ...). Counts must be equal,
ratios equal to 1e-9 or to the digits that truth.json prints (nine). Ends with `N passed, N failed`."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

passed = failed = 0


def check(name, got, want, rel=1e-9):
    global passed, failed
    if want is None:
        return
    same = got is not None and (got == want if isinstance(want, int) else
                                abs(got - want) <= max(rel, 1.0e-9) * abs(want) + 5.1e-10 * 10 ** digits(want))
    passed += same
    failed += not same
    if not same:
        print(f'{name}: {got!r} where {want!r} belongs')


def digits(x):
    """truth.json prints nine significant digits: half a unit of the last one may be missing."""
    x = abs(x)
    n = 0
    while x >= 10:
        x /= 10
        n += 1
    while 0 < x < 1:
        x *= 10
        n -= 1
    return n + 1 if x else 0


def replay(driftd, config, files, reference, db):
    with tempfile.NamedTemporaryFile('w', suffix='.yaml', delete=False) as f:
        f.write(config)
    command = [driftd, 'replay', f.name, *files, '-o', db, '--quiet']
    if reference:
        command += ['--reference', reference]
    done = subprocess.run(command, capture_output=True, text=True)
    os.unlink(f.name)
    if done.returncode:
        raise SystemExit(f'{" ".join(command)}: {done.returncode}\n{done.stderr}')
    connection = sqlite3.connect(db)
    connection.row_factory = sqlite3.Row
    return connection


CLASS = {'n': 'n', 'accuracy': 'accuracy', 'ece15': 'ece15', 'mean_confidence': 'mean_confidence',
         'brier': 'brier', 'nll': 'nll', 'set_coverage': 'coverage'}
VALUE = {'n': 'n', 'coverage': 'coverage', 'below': 'below', 'above': 'above', 'mean_width': 'width',
         'mae': 'mae', 'rmse': 'rmse', 'winkler': 'winkler'}
JOIN = {'lines': 'label_lines', 'matched_ids': 'matched_ids', 'never_arrived': 'never_arrived',
        'orphan_lines': 'orphan_lines', 'repeat_lines': 'repeat_lines',
        'repeat_lines_with_another_label': 'repeat_other_label'}


def compare(name, row, want, columns):
    for key, column in columns.items():
        if key in want:
            check(f'{name} {key}', row[column] if row else None, want[key])


def labels(name, db, truth):
    columns = CLASS if 'accuracy' in truth.get('first_wins', {}) else VALUE
    total = db.execute('SELECT * FROM performance_total').fetchone()
    compare(f'{name} total', total, truth['first_wins'], columns)
    if 'error_auroc' in truth['first_wins']:
        check(f'{name} error AUROC', total['error_auroc'] if total else None, truth['first_wins']['error_auroc'],
              1e-4 / 0.5)
    if 'sets' in truth and total:
        check(f'{name} set coverage', total['coverage'], truth['sets'].get('coverage_first_wins'))
    if 'labels' in truth:
        join = db.execute('SELECT * FROM joins').fetchone()
        for key, column in JOIN.items():
            check(f'{name} join {key}', join[column], truth['labels'].get(key))
    rows = db.execute('SELECT * FROM label_statistics WHERE width_ms = 0 ORDER BY window_ms').fetchall()
    windows = [w for w in truth.get('windows', []) if w.get('n')]
    # truth.json leaves out a last window that is less than half full
    check(f'{name} windows with labels', len(rows) >= len(windows), True)
    for r, w in zip(rows, windows):
        row = dict(r)
        row.update(n=row['labelled'], width=row['mean_width'], below=row['below_share'],
                   above=row['above_share'])
        compare(f'{name} [{w["from"]},{w["to"]})', row, w, columns)


def features(name, db, truth):
    for feature, want in truth.get('features', {}).items():
        rows = db.execute('SELECT t.* FROM statistics t JOIN streams s USING (stream_id) WHERE s.kind = '
                          "'feature' AND s.field = ? ORDER BY window_ms", (feature,)).fetchall()
        check(f'{name} {feature} windows', len(rows) >= len(want['windows']), True)
        for r, w in zip(rows, want['windows']):
            where = f'{name} {feature} [{w["from"]},{w["to"]})'
            check(where + ' n', r['n'] + r['missing'], w['to'] - w['from'])
            if 'mean' in w:
                check(where + ' mean', r['mean'], w['mean'])
            check(where + ' null rate', r['missing'] / (r['n'] + r['missing']), float(w['null_rate']))


def one(driftd, data, name, truth, suffix='', model=None):
    folder = os.path.join(data, name)
    meta = json.load(open(os.path.join(folder, 'meta.json')))
    window = truth.get('window') or truth.get('features', {}).get('window') or 1000
    model = model or meta['model']
    config = f'models:\n  - name: {model}\n    windows: {{records: {window}}}\n'
    if meta.get('classes'):
        config += '    classes: [' + ', '.join(json.dumps(str(c)) for c in meta['classes']) + ']\n'
    if isinstance(meta.get('features'), dict) and meta['features']:
        config += '    features: {' + ', '.join(f'{k}: {v}' for k, v in meta['features'].items()) + '}\n'
    files = [os.path.join(folder, f'{f}{suffix}.jsonl.gz') for f in ('stream', 'labels')]
    files = [f for f in files if os.path.exists(f)]
    reference = os.path.join(folder, f'reference{suffix}.jsonl.gz')
    with tempfile.TemporaryDirectory() as scratch:
        db = replay(driftd, config, files, reference if os.path.exists(reference) else None,
                    os.path.join(scratch, 'replay.db'))
        for part in ('classification', 'regression'):
            if part in truth:
                labels(name + suffix, db, {**truth[part], **{k: truth[k] for k in ('sets',) if k in truth}})
                check(f'{name}{suffix} records', db.execute(
                    "SELECT n FROM counters WHERE name = 'records'").fetchone()[0], truth['stream_records'])
        if 'features' in truth:
            features(name + suffix, db, truth['features'])
        db.close()


def main():
    driftd, data = sys.argv[1:3]
    sets = json.load(open(os.path.join(data, 'truth.json')))['sets']
    for name in sys.argv[3:] or sorted(sets):
        truth = sets[name]
        if not os.path.exists(os.path.join(data, name, 'stream.jsonl.gz')):
            continue
        if not {'classification', 'regression', 'features'} & truth.keys():
            continue  # embeddings alone: check_ood.py
        one(driftd, data, name, truth)
        if 'ensemble' in truth:
            meta = json.load(open(os.path.join(data, name, 'meta.json')))
            one(driftd, data, name, {**truth['ensemble'], 'window': truth['window'],
                                     'stream_records': truth['stream_records']}, '_ens', meta['model'] + '-ens')
    print(f'{passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
