#!/usr/bin/env python3
"""models.py -- many models in one process, beside what `driftd check` says of them.

    models.py DRIFTD FOLDER [MODELS [FEATURES [RECORDS]]]      100 models of 50 features, 1800 records each

Each model sends a record a minute, and its label an hour later, through `driftd replay`: references are learnt from the
first 500 values, windows are of an hour, commits go to the disk. `check` tells the memory at most, and the bytes of a
commit in which everything has changed. Exit 1 when the memory is above what it says, or below half of it; when the
states are above what it says of a commit, or below half of that.
"""
import json
import os
import random
import sqlite3
import subprocess
import sys
import time


def write(folder, models, features, records):
    rng = random.Random(7)
    spread = [rng.gauss(0, 1) for _ in range(4096)]
    text = ['%.4f' % x for x in spread]
    with open(folder + '/records.jsonl', 'w') as out, open(folder + '/labels.jsonl', 'w') as labels:
        for i in range(records):
            for m in range(models):
                at, ts = rng.randrange(4096), 1700000000000 + i * 60000 + m
                x = ','.join('"f%d":%s' % (k, text[(at + 37 * k) & 4095]) for k in range(features))
                out.write('{"id":"%d.%d","ts":%d,"model":"model-%03d","features":{%s},"prediction":{"value":1,'
                          '"lower":0,"upper":2,"level":0.9}}\n' % (m, i, ts, m, x))
                if i >= 60:
                    labels.write('{"id":"%d.%d","ts":%d,"model":"model-%03d","label":%.4f}\n'
                                 % (m, i - 60, ts, m, 1 + 0.6 * spread[at]))


def configure(path, models, features):
    with open(path, 'w') as out:
        out.write('database: %s.db\nwindows: {width: 1h}\ndefaults:\n  features: [%s]\n  reference: {records: 500,'
                  ' span: 8h}\n  labels: {capacity: 2000, wait: 1d}\nmodels:\n'
                  % (path, ', '.join('f%d' % k for k in range(features))))
        out.writelines('  model-%03d: {}\n' % m for m in range(models))


def replay(driftd, folder, config, db):
    """Peak of the memory, bytes written, seconds by the clock and of the processor."""
    files = [folder + '/records.jsonl', folder + '/labels.jsonl']
    began, written = time.monotonic(), 0
    with open(os.devnull, 'w') as null:
        run = subprocess.Popen([driftd, 'replay', config, *files, '-o', db, '--quiet'], stdout=null)
    while True:
        done, status, usage = os.wait4(run.pid, os.WNOHANG)
        if done:
            break
        try:
            with open('/proc/%d/io' % run.pid) as io:
                written = int(io.read().split('wchar: ')[1].split()[0])
        except (OSError, IndexError):
            pass
        time.sleep(0.02)
    run.returncode = status
    if status:
        sys.exit('driftd replay failed: %d' % status)
    return usage.ru_maxrss * 1024, written, time.monotonic() - began, usage.ru_utime + usage.ru_stime


def main():
    driftd, folder = sys.argv[1:3]
    models, features, records = [int(v) for v in sys.argv[3:6]] + [100, 50, 1800][len(sys.argv[3:6]):]
    config, db = folder + '/models.yaml', folder + '/models.db'
    os.makedirs(folder, exist_ok=True)
    write(folder, models, features, records)
    configure(config, models, features)
    said = json.loads(subprocess.run([driftd, 'check', config, '--json', '--timeout', '1s'], capture_output=True,
                                     text=True, check=True).stdout)
    for suffix in ('', '-wal', '-shm'):
        if os.path.exists(db + suffix):
            os.remove(db + suffix)
    peak, written, seconds, cpu = replay(driftd, folder, config, db)
    with sqlite3.connect(db) as base:
        states = base.execute('SELECT sum(length(data)) FROM state').fetchone()[0]
        streams = base.execute('SELECT count(*) FROM streams').fetchone()[0]
    memory = said['memory_bytes']['total'] - said['memory_bytes']['broker']
    commit = said['disk_bytes']['commit']
    print('%d models, %d streams, %d records of %d features and %d labels'
          % (models, streams, models * records, features, models * max(0, records - 60)))
    print('memory: check says at most %.0f MB (without messages fetched ahead), peak %.0f MB, %.2f of it; %.1f MB a model'
          % (memory / 1e6, peak / 1e6, peak / memory, peak / 1e6 / models))
    print('a commit in which everything has changed: check says %.1f MB, states of %.1f MB, %.2f of it'
          % (commit / 1e6, states / 1e6, states / commit))
    print('written in this run: %.0f MB, a database of %.0f MB' % (written / 1e6, os.path.getsize(db) / 1e6))
    print('%.0f records a second of processor time, %.0f by the clock' % (models * records / cpu, models * records / seconds))
    os.remove(db)
    return not (0.5 <= peak / memory <= 1 and 0.5 <= states / commit <= 1)


sys.exit(main())
