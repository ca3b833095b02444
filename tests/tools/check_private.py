#!/usr/bin/env python3
"""What must not be told is told nowhere: secrets never, values of records not with `privacy: {values: hash | bin}`.

    check_private.py DRIFTD

A daemon reads records whose ids, categories, segments and numbers are canaries, through an embedded broker, and alerts
of them. Then every place it writes to is searched: the database file with its log and free pages, the texts of every
table, the log, /metrics, the page, the report, the messages. With `plain` the same search must find them, or it would
prove nothing. Ends with `N passed, N failed`."""
import http.client
import http.server
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading

from tally import check, end, wait

CONFIG = """
database: driftd.db
kafka: {brokers: embedded, properties: {sasl.password: "${ENV:CANARY}"}}
topics: {records: [inference], labels: [labels]}
http: {listen: "127.0.0.1:0", token_file: token}
alerts:
  send: all
  sinks:
    - log: {}
    - webhook: {url: "${FILE:url}", secret_file: secret, token_file: bearer}
privacy: {values: %s}
models:
  - name: credit
    segments: [country]
    reference: {records: 1000, span: 10d}
"""
SECRETS = {'token': 'CANARY-SECRET-token', 'url': 'http://127.0.0.1:%d/CANARY-SECRET-url', 'secret': 'CANARY-SECRET-key',
           'bearer': 'CANARY-SECRET-bearer'}
PASSWORD = 'CANARY-SECRET-password'
NUMBER = '876543.25'
TEXTS = {'id': 'CANARY-ID', 'category': 'CANARY-PURPOSE', 'segment': 'CANARY-COUNTRY', 'rejected': 'CANARY-REJECTED'}


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append(self.rfile.read(int(self.headers['Content-Length'])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def records(seed):
    draw = random.Random(seed)
    lines = []
    for i in range(6000):
        late = i >= 3600
        purpose = TEXTS['category'] if late and draw.random() < .6 else draw.choice(['car', 'home', 'phone', 'tv'])
        country = TEXTS['segment'] if draw.random() < .3 else draw.choice(['NL', 'DE'])
        amount = float(NUMBER) if i in (500, 3000) else draw.gauss(100, 15)
        lines.append(json.dumps({
            'id': f'{TEXTS["id"]}-{i}', 'ts': 1700000000000 + i * 1200000, 'model': 'credit',
            'features': {'purpose': purpose, 'amount': amount}, 'segment': {'country': country},
            'prediction': {'class': draw.choice(['good', 'bad'])}}))
        if i % 1500 == 77:
            lines.append('{"model": "credit", "note": "%s", "amount": ' % TEXTS['rejected'])
    return lines


def texts_of(database):
    """Everything that is not a blob, as people would see it."""
    db = sqlite3.connect(f'file:{database}?mode=ro', uri=True)
    out = []
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall():
        for row in db.execute(f'SELECT * FROM "{name}"'):
            out += [repr(v) for v in row if v is not None and not isinstance(v, bytes)]
            out += [v.decode('latin-1') for v in row if isinstance(v, bytes) and name == 'rejected']
    db.close()
    return '\n'.join(out)


def start(binary, place, values, port):
    """A daemon in `place`: process, broker, address of its HTTP."""
    for name, text in SECRETS.items():
        with open(os.path.join(place, name), 'w', opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text % port if '%d' in text else text)
    with open(os.path.join(place, 'driftd.yaml'), 'w') as f:
        f.write(CONFIG % values)
    p = subprocess.Popen([binary, 'run', 'driftd.yaml'], cwd=place, stdout=subprocess.PIPE, text=True,
                         stderr=open(os.path.join(place, 'log'), 'a'), env={**os.environ, 'CANARY': PASSWORD})
    return p, *(p.stdout.readline().strip().split('=')[1] for _ in range(2))


def stop(p):
    p.send_signal(signal.SIGTERM)
    status = p.wait(30)
    p.stdout.close()
    return status


def send(broker, topic, lines):
    subprocess.run(['kcat', '-b', broker, '-P', '-t', topic], input='\n'.join(lines), text=True, check=True)


def query(database, sql):
    try:
        db = sqlite3.connect(f'file:{database}?mode=ro', uri=True)
        row = db.execute(sql).fetchone()
        db.close()
        return row[0]
    except sqlite3.Error:
        return None


def bytes_of(database):
    return b''.join(open(database + s, 'rb').read() for s in ('', '-wal') if os.path.exists(database + s))


def forgotten(binary):
    """`driftd forget` beside a running daemon: neither the id nor its hash is left in the file."""
    who = TEXTS['id'] + '-11'
    with tempfile.TemporaryDirectory() as place:
        p, broker, _ = start(binary, place, 'plain', 9)
        database = os.path.join(place, 'driftd.db')
        lines = [json.dumps({'id': f'{TEXTS["id"]}-{i}', 'ts': 1700000000000 + i * 60000, 'model': 'credit',
                             'features': {'x': i % 7}, 'prediction': {'class': 'good'}}) for i in range(900)]
        twin = lines[13].replace('"model"', '"version": "2", "model"')
        probe = json.dumps({'id': who + '~', 'ts': 1700054000000, 'model': 'credit', 'probe_of': who, 'perturbation': 'fgsm',
                            'prediction': {'class': 'bad'}})
        send(broker, 'inference', lines + [twin, probe] + ['{"id": "%s", "features": {' % who])
        send(broker, 'labels', [json.dumps({'id': f'{TEXTS["id"]}-{i}', 'model': 'credit', 'ts': 1700060000000, 'label': 'bad'})
                                for i in list(range(300)) + [5000]])
        check('forget: all is read', wait(30, lambda: query(database, 'SELECT sum(next_offset) FROM offsets') == 1204))
        check('forget: the id is in the file before', who.encode() in bytes_of(database))

        def forget(name):
            r = subprocess.run([binary, 'forget', database, name, '--wait', '--json'], capture_output=True, text=True)
            return r.returncode, json.loads(r.stdout)['result']
        check('forget: a prediction with its label and a rejected record', forget(who) ==
              (0, 'done: 1 predictions, 0 labels that waited, 1 rejected records, 0 unlike records, 0 messages'))
        orphan = TEXTS['id'] + '-5000'
        check('forget: a label that waited', forget(orphan) ==
              (0, 'done: 0 predictions, 1 labels that waited, 0 rejected records, 0 unlike records, 0 messages'))
        check('forget: what two versions have said of it', forget(TEXTS['id'] + '-13')[1].startswith('done: 2 predictions'))
        waiting = TEXTS['id'] + '-700'
        check('forget: a prediction that waited', forget(waiting)[0] == 0)
        check('forget: what is not there', forget('nobody')[0] == 1)
        check('forget: again', forget(who)[0] == 1)
        hashes = [query(database, f"SELECT target FROM commands WHERE command_id = {i}") for i in (1, 2, 4)]
        raw = bytes_of(database)
        check('forget: no id is left in the file', not any(
            re.search(re.escape(n.encode()) + rb'[^0-9]', raw) for n in (who, orphan, waiting)))
        check('forget: nor its hash', not any(bytes.fromhex(h[1:])[::-1] in raw for h in hashes), hashes)
        send(broker, 'labels', [json.dumps({'id': f'{TEXTS["id"]}-701', 'model': 'credit', 'ts': 1700060000001, 'label': 'bad'}),
                                json.dumps({'id': waiting, 'model': 'credit', 'ts': 1700060000001, 'label': 'bad'})])
        check('forget: others are joined as before, its label finds nothing', wait(20, lambda: query(
            database, 'SELECT matched_ids FROM joins') == 302 and query(database, 'SELECT orphan_lines FROM joins') >= 1))
        check('forget: it stops', stop(p) == 0)
        check('forget: nor in the log', who not in open(os.path.join(place, 'log')).read())
        again = subprocess.run([binary, 'status', database], capture_output=True)
        check('forget: the database is sound', again.returncode == 0 and
              query(database, 'PRAGMA integrity_check') == 'ok')
        p, broker, _ = start(binary, place, 'plain', 9)
        check('forget: a daemon goes on from it', stop(p) == 0)


def run(binary, values):
    """Where each canary was found: {place: set of canaries}."""
    with tempfile.TemporaryDirectory() as place:
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
        server.got = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        p, broker, address = start(binary, place, values, server.server_port)
        lines = records(7)
        send(broker, 'inference', lines)
        send(broker, 'labels', ['{"id":"%s-3","model":"credit","ts":1700000900000,"label":"good"}' % TEXTS['id']])
        database = os.path.join(place, 'driftd.db')

        check(f'{values}: all is read and an alert arrives', wait(60, lambda: server.got and query(
            database, 'SELECT sum(next_offset) FROM offsets') == len(lines) + 1), len(server.got))

        def get(path):
            c = http.client.HTTPConnection(*address.rsplit(':', 1), timeout=20)
            c.request('GET', path, headers={'Authorization': 'Bearer ' + SECRETS['token']})
            return c.getresponse().read().decode()
        db = sqlite3.connect(f'file:{database}?mode=ro', uri=True)
        alerts = [a for a, in db.execute('SELECT alert_id FROM alerts')]
        streams = [n for n, in db.execute('SELECT stream_id FROM streams')]
        db.close()
        paths = ['/', '/metrics', '/health', '/data/overview', '/data/model?id=credit']
        pages = {path: get(path) for path in paths + [f'/data/stream?id={n}' for n in streams] +
                 [f'/data/alert?id={a}' for a in alerts]}
        subprocess.run([binary, 'report', database, '-o', os.path.join(place, 'report.html')], check=True, stdout=subprocess.DEVNULL)
        places = {
            'metrics': pages['/metrics'], 'page': '\n'.join(pages.values()), 'messages': '\n'.join(server.got),
            'report': open(os.path.join(place, 'report.html')).read(),
            'alerts': ''.join(subprocess.run([binary, 'alerts', database, a], capture_output=True, text=True).stdout for a in alerts),
            'tables': texts_of(database),
        }
        check(f'{values}: it stops', stop(p) == 0)
        places['file'] = bytes_of(database).decode('latin-1')
        places['log'] = open(os.path.join(place, 'log')).read()
        server.shutdown()
        server.server_close()
        wanted = {**TEXTS, 'number': NUMBER, 'secret': 'CANARY-SECRET'}
        return {where: {what for what, text in wanted.items() if text in all_of_it} for where, all_of_it in places.items()}


def main():
    binary = os.path.abspath(sys.argv[1])
    plain = run(binary, 'plain')
    found = set().union(*plain.values())
    check('plain: the search finds what is not hidden', {'category', 'segment', 'rejected', 'number'} <= plain['tables'] and
          all('category' in plain[w] for w in ('page', 'report', 'alerts', 'messages', 'file')), plain)
    check('plain: no secret anywhere', 'secret' not in found)
    for where, what in run(binary, 'bin').items():
        check(f'bin: no id, number, rejected record or secret in {where}', not what - {'category', 'segment'}, what)
    for where, what in run(binary, 'hash').items():
        check(f'hash: nothing in {where}', not what, what)
    forgotten(binary)
    return end()


if __name__ == '__main__':
    sys.exit(main())
