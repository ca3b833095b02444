#!/usr/bin/env python3
"""The daemon's HTTP, the page and what machines read: what it says, and what it does not let be done to it.

    check_http.py DRIFTD DATA_DIR

Figures equal the database's; `promtool check metrics` (when it is there) finds nothing; hostile clients are refused,
closed at their deadline, and leave the pipeline alone. Ends with `N passed, N failed`."""
import gzip
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

from tally import any_failed, check, end, wait

TOKEN = 'only for those who know'
CONFIG = """
database: driftd.db
kafka: {brokers: embedded}
topics: {records: [inference.bike], labels: [labels.bike]}
http: {listen: "127.0.0.1:0", hosts: [watch.example]%s}
alerts: {sinks: [{log: {}}]}
models: auto
"""


class Daemon:
    def __init__(self, binary, place, token='', environment=None):
        self.place = place
        with open(os.path.join(place, 'driftd.yaml'), 'w') as f:
            f.write(CONFIG % token)
        self.process = subprocess.Popen([binary, 'run', 'driftd.yaml'], cwd=place, env=environment, stdout=subprocess.PIPE, text=True,
                                        stderr=open(os.path.join(place, 'log'), 'a'))
        self.broker = self.process.stdout.readline().strip().split('=')[1]
        host, port = self.process.stdout.readline().strip().split('=')[1].rsplit(':', 1)
        self.host, self.port = host, int(port)

    def get(self, path, method='GET', body=None, **headers):
        c = http.client.HTTPConnection(self.host, self.port, timeout=20)
        c.request(method, path, body=body, headers=headers)
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        return answer.status, text, answer

    def raw(self, text, seconds=5):
        with socket.create_connection((self.host, self.port), timeout=seconds) as s:
            s.sendall(text)
            out = b''
            try:
                while part := s.recv(65536):
                    out += part
            except OSError:
                pass
            return out

    def metric(self, name):
        found = re.search(r'^%s ([-0-9.e+]+)$' % re.escape(name), self.get('/metrics')[1], re.M)
        return float(found[1]) if found else None

    def send(self, topic, lines):
        subprocess.run(['kcat', '-b', self.broker, '-P', '-t', topic], input='\n'.join(lines), text=True, check=True)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.process.stdout.close()
        return status


def figures(d, data):
    lines = gzip.open(os.path.join(data, 'bike', 'stream.jsonl.gz'), 'rt').read().splitlines()[:3000]
    lines.append('{"not": json')
    d.send('inference.bike', lines)
    name = 'driftd_records_processed_total{model="bike",kind="prediction"}'
    check('records_are_counted', wait(30, lambda: d.metric(name) == 3000), d.metric(name))
    status, text, answer = d.get('/metrics')
    check('the_format_is_prometheus', status == 200 and answer.headers['Content-Type'].startswith('text/plain; version='))
    db = sqlite3.connect(os.path.join(d.place, 'driftd.db'))
    lag = db.execute("SELECT lag FROM lag WHERE topic = 'inference.bike'").fetchone()[0]
    check('lag_is_that_of_the_database',
          d.metric('driftd_kafka_consumer_lag_records{topic="inference.bike",partition="0"}') == lag == 0)
    rejected = db.execute("SELECT name, n FROM counters WHERE name GLOB 'rejected_*'").fetchall()
    check('rejected_records_have_a_reason', rejected and all(
        d.metric('driftd_records_rejected_total{reason="%s"}' % n[9:]) == v for n, v in rejected), rejected)
    check('every_detector_is_shown', text.count('\ndriftd_drift_statistic{') == db.execute(
        'SELECT count(*) FROM drift_now WHERE statistic IS NOT NULL').fetchone()[0] > 5)
    topic = '{topic="inference.bike"}'
    check('topics_are_counted', wait(15, lambda: d.metric('driftd_records_consumed_total' + topic) == 3001) and
          d.metric('driftd_record_bytes_total' + topic) == sum(len(line.encode()) for line in lines) and
          abs(d.metric('driftd_last_record_timestamp_seconds' + topic) - time.time()) < 120 and
          d.metric('driftd_event_time_skew_seconds' + topic) > 3e8, [d.metric('driftd_%s%s' % (n, topic)) for n in (
              'records_consumed_total', 'record_bytes_total', 'last_record_timestamp_seconds', 'event_time_skew_seconds')])
    missing = db.execute("SELECT field, sum(missing) FROM statistics JOIN streams USING(stream_id) WHERE"
                         " kind = 'feature' AND segment = '' GROUP BY 1").fetchall()
    check('missing_values_are_those_of_the_database', missing and wait(15, lambda: all(d.metric(
        'driftd_fields_missing_total{model="bike",feature="%s"}' % f) >= n for f, n in missing)), missing[:3])
    check('a_topic_that_is_missing_is_told', d.metric('driftd_kafka_topic_missing{topic="inference.bike"}') == 0 and
          d.metric('driftd_kafka_topic_missing{topic="labels.bike"}') in (0, 1))
    check('brokers_and_threads_are_told', d.metric('driftd_kafka_brokers{state="known"}') >= 1 and all(
        abs(d.metric('driftd_loop_heartbeat_timestamp_seconds{thread="%s"}' % t) - time.time()) < 60
        for t in ('pipeline', 'http', 'delivery')))
    check('labels_may_wait_up_to_a_limit', d.metric('driftd_join_entries_limit{model="bike"}') == 4000000)
    db.close()
    check('the_start_is_told', 0 <= time.time() - d.metric('process_start_time_seconds') < 120,
          d.metric('process_start_time_seconds'))
    labels = gzip.open(os.path.join(data, 'bike', 'labels.jsonl.gz'), 'rt').read().splitlines()[:500]
    d.send('labels.bike', labels)
    delay = 'driftd_join_delay_seconds_%s{model="bike"%s}'
    check('delays_of_labels_are_a_histogram', wait(35, lambda: (d.metric(delay % ('count', '')) or 0) > 400) and d.metric(
        delay % ('bucket', ',le="3600"')) <= d.metric(delay % ('bucket', ',le="604800"')) <= d.metric(
        delay % ('count', '')) and d.metric(delay % ('sum', '')) > 0)
    text = d.get('/metrics')[1]
    if shutil.which('promtool'):
        p = subprocess.run(['promtool', 'check', 'metrics'], input=text, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        check('promtool_is_content', p.returncode == 0 and not p.stdout, p.stdout)


def page(d):
    status, text, answer = d.get('/')
    check('the_page_is_one_document', status == 200 and answer.headers['Content-Type'].startswith('text/html') and
          'inference.bike' not in text)
    policy = answer.headers['Content-Security-Policy']
    check('only_its_own_scripts_run', policy.startswith("default-src 'none'") and policy.count("'sha256-") == 3 and
          "'unsafe-inline'" not in policy.split('script-src')[1], policy)
    db = sqlite3.connect(os.path.join(d.place, 'driftd.db'))
    status, text, answer = d.get('/data/overview')
    told = json.loads(text)
    check('the_page_shows_the_database', status == 200 and answer.headers['Content-Type'] == 'application/json' and
          told['budget']['promised'] == db.execute('SELECT promised FROM budget').fetchone()[0] and
          [m['model'] for m in told['models']] == [r[0] for r in db.execute('SELECT name FROM models')])
    stream = db.execute("SELECT stream_id FROM streams WHERE kind = 'feature' LIMIT 1").fetchone()[0]
    db.close()
    check('models_and_streams_are_found', d.get('/data/model?id=bike')[0] == 200 and
          json.loads(d.get(f'/data/stream?id={stream}')[1])['stream']['stream_id'] == stream)
    wrong = [p for p in ('/data/', '/data/model', '/data/model?id=no%27%20OR%201', '/data/stream?id=1x', '/data/stream?id=-9',
                         '/data/alert?id=ff', '/data/nothing', '/data/overview/x', '/dataoverview') if d.get(p)[0] != 404]
    check('what_is_not_there_is_not_found', not wrong, wrong)


def refusals(d):
    host = f'{d.host}:{d.port}'
    answers = [('POST', '/metrics', {}, 405), ('DELETE', '/', {}, 405), ('GET', '/', {'Host': 'evil.example'}, 421), ('GET', '/../etc/passwd', {}, 404),
               ('GET', '/metrics%00', {}, 404), ('GET', '//metrics', {}, 404), ('GET', '/metrics?x=1', {}, 200),
               ('HEAD', '/metrics', {}, 200), ('GET', '/metrics', {'Host': 'evil.example'}, 421),
               ('GET', '/metrics', {'Host': 'watch.example:80'}, 200), ('GET', '/metrics', {'Host': 'localhost'}, 200),
               ('GET', '/metrics', {'Content-Length': '5'}, 413), ('GET', '/metrics', {'Transfer-Encoding': 'chunked'}, 413)]
    wrong = []
    for method, path, headers, expected in answers:
        text = ''.join(f'{k}: {v}\r\n' for k, v in {'Host': host, **headers}.items())
        got = d.raw(f'{method} {path} HTTP/1.1\r\n{text}\r\n'.encode())
        status = int(got.split(b' ')[1]) if got.startswith(b'HTTP/1.1 ') else 0
        if status != expected:
            wrong.append((method, path, headers, status))
    check('each_request_has_its_answer', not wrong, wrong)
    got = d.raw(b'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ' + b'x' * 1000000 + b'\r\n\r\n')
    check('headers_are_bounded', got[:12] in (b'HTTP/1.1 431', b'HTTP/1.1 400', b''), got[:40])
    status, _, answer = d.get('/health/live')
    check('nothing_may_be_embedded_or_kept', answer.headers['Content-Security-Policy'].startswith("default-src 'none'")
          and answer.headers['X-Content-Type-Options'] == 'nosniff' and answer.headers['Cache-Control'] == 'no-store')
    rng = random.Random(7)
    for _ in range(300):
        d.raw(bytes(rng.choice(b'GET /metrics HTTP/1.1\r\nHost: a\x00\xff') for _ in range(rng.randrange(200))) +
              b'\r\n\r\n', 1)
    check('noise_does_no_harm', d.get('/health/live')[0] == 200)


def slow_clients(d):
    held = []
    start = time.monotonic()
    for _ in range(8):  # as many as one address may have
        s = socket.create_connection((d.host, d.port), timeout=20)
        s.sendall(b'GET /metrics HTTP/1.1\r\n')
        held.append(s)
    closed = 0
    for s in held:
        try:
            while s.send(b'X: y\r\n') and time.monotonic() - start < 25:
                time.sleep(0.3)
        except OSError:
            closed += 1
        s.close()
    check('a_slow_client_is_closed_at_its_deadline', closed == 8 and time.monotonic() - start < 16,
          f'{closed} of 8, {time.monotonic() - start:.1f} s')
    check('then_others_are_served', wait(5, lambda: d.get('/health/live')[0] == 200))


def main():
    driftd, data = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as place:
        d = Daemon(driftd, place)
        try:
            check('it_is_alive', d.get('/health/live')[0] == 200 and json.loads(d.get('/health/live')[1])['status'] == 'ok')
            check('it_is_ready', wait(20, lambda: d.get('/health/ready')[0] == 200), d.get('/health/ready')[1])
            figures(d, data)
            page(d)
            refusals(d)
            slow_clients(d)
            with sqlite3.connect(os.path.join(place, 'driftd.db'), isolation_level=None) as db:
                db.execute('BEGIN IMMEDIATE')  # somebody holds the write lock
                check('a_locked_database_is_not_ready_but_alive', wait(30, lambda: d.get('/health/ready')[0] == 503) and
                      d.get('/health/live')[0] == 200)
                db.execute('ROLLBACK')
            db.close()
            check('it_recovers', wait(20, lambda: d.get('/health')[0] == 200))
        finally:
            check('it_stops', d.stop() == 0)
        with open(os.path.join(place, 'token'), 'w') as f:
            f.write(TOKEN + '\n')
        os.chmod(os.path.join(place, 'token'), 0o600)
        systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        systemd.bind(os.path.join(place, 'notify'))
        systemd.settimeout(10)
        d = Daemon(driftd, place, ', token_file: token', dict(
            os.environ, NOTIFY_SOCKET=os.path.join(place, 'notify'), WATCHDOG_USEC='400000'))
        try:
            check('a_token_opens', d.get('/metrics', Authorization='Bearer ' + TOKEN)[0] == 200)
            tries = ({}, {'Authorization': 'Bearer '}, {'Authorization': 'Bearer ' + TOKEN[:-1]},
                     {'Authorization': TOKEN}, {'Authorization': 'Bearer ' + TOKEN + 'x'})
            said = [systemd.recv(1000).decode().split()[0] for _ in range(4)]
            check('systemd_is_told', said[0].startswith('EXTEND_TIMEOUT') and 'WATCHDOG=1' in said and
                  'READY=1' in said, said)
            d.process.send_signal(signal.SIGHUP)
            check('a_reload_is_announced', wait(20, lambda: systemd.recv(1000).startswith(b'RELOADING=1')) and
                  wait(20, lambda: systemd.recv(1000).startswith(b'READY=1')))
            d.process.stdout.readline()
            d.port = int(d.process.stdout.readline().strip().rsplit(':', 1)[1])
            check('the_page_asks_for_it', d.get('/')[0] == 200 and d.get('/data/overview')[0] == 401 and
                  d.get('/data/overview', Authorization='Bearer ' + TOKEN)[0] == 200)
            check('nothing_else_does', all(d.get('/metrics', **t)[0] == 401 for t in tries))
        finally:
            check('it_stops_again', d.stop() == 0)
        if any_failed():
            print(open(os.path.join(place, 'log')).read()[-3000:])
    return end()


if __name__ == '__main__':
    sys.exit(main())
