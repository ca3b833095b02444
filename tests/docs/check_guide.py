#!/usr/bin/env python3
"""Every command of docs/guide.md and docs/tuning.md runs, every section of the configuration is in the guide, and what
docs/driftd_producer.py writes is read.

    check_guide.py DRIFTD OUT_DIR

Ends with `N passed, N failed`."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tools'))
from tally import check, end  # noqa: E402

BLOCK = re.compile(r'```sh\n(.*?)```\n', re.S)


def pages(driftd, out):
    place = os.path.join(out, 'guide')
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(os.path.join(place, 'build'))
    os.makedirs(os.path.join(place, 'bin'))
    os.symlink(os.path.abspath(driftd), os.path.join(place, 'bin', 'driftd'))
    os.symlink(os.path.abspath('tests'), os.path.join(place, 'tests'))
    environment = {**os.environ, 'PATH': os.path.join(place, 'bin') + ':' + os.environ['PATH']}
    for page in ('docs/guide.md', 'docs/tuning.md'):
        for i, block in enumerate(BLOCK.findall(open(page).read())):
            r = subprocess.run(['sh', '-eu', '-c', block], cwd=place, env=environment, capture_output=True, text=True, timeout=300)
            check(f'{page}: block {i + 1} runs', r.returncode == 0, r.stdout[-300:] + r.stderr[-600:])


def sections(driftd):
    text = subprocess.run([driftd, 'explain'], capture_output=True, text=True).stdout
    guide = open('docs/guide.md').read()
    for key in re.findall(r'^([a-z_]+):', text, re.M):
        check(f'the guide speaks of {key}', f'`{key}`' in guide)


def helper(driftd, out):
    sys.path.insert(0, 'docs')
    from driftd_producer import Driftd

    class Producer:
        def __init__(self):
            self.sent = []

        def produce(self, topic, value, key):
            self.sent.append((topic, key, value.decode()))

    class Sender(Producer):
        produce = None

        def __init__(self):
            super().__init__()
            del self.__class__.produce

        def send(self, topic, value, key):
            self.sent.append((topic, key, value.decode()))

    p = Producer()
    d = Driftd(p, 'credit', version='7')
    for i in range(50):
        d.prediction(i, {'class': 'good', 'probs': {'good': .8, 'bad': .2}}, {'income': 5.5 * i, 'purpose': 'car'}, ts=1700000000000 + i)
        d.label(i, 'good', ts=1700000100000)
    check('helper: topics and keys', p.sent[0][:2] == ('inference.credit', b'0') and p.sent[1][0] == 'labels.credit')
    s = Sender()
    Driftd(s, 'credit').label('a', 1)
    check('helper: kafka-python, too', json.loads(s.sent[0][2])['label'] == 1)
    for name, topic in (('records', 'inference.credit'), ('labels', 'labels.credit')):
        with open(os.path.join(out, name + '.jsonl'), 'w') as f:
            f.writelines(line + '\n' for t, _, line in p.sent if t == topic)
    with open(os.path.join(out, 'helper.yaml'), 'w') as f:
        f.write('kafka: {brokers: embedded}\nmodels: auto\n')
    db = os.path.join(out, 'helper.db')
    for suffix in ('', '-wal', '-shm', '.lock'):
        if os.path.exists(db + suffix):
            os.remove(db + suffix)
    r = subprocess.run([driftd, 'replay', os.path.join(out, 'helper.yaml'), os.path.join(out, 'records.jsonl'),
                        os.path.join(out, 'labels.jsonl'), '-o', db, '--quiet'], capture_output=True, text=True)
    joined = sqlite3.connect(db).execute('SELECT predictions, matched_ids FROM joins').fetchone() if r.returncode == 0 else None
    check('helper: every record is read and joined', joined == (50, 50), (joined, r.stderr))


def main():
    driftd, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    os.makedirs(out, exist_ok=True)
    pages(driftd, out)
    sections(driftd)
    helper(driftd, out)
    return end()


if __name__ == '__main__':
    sys.exit(main())
