#!/usr/bin/env python3
"""Alerts of a running daemon at receivers that misbehave: every one arrives, and none holds up another.

    check_delivery.py DRIFTD [--away SECONDS]

The daemon runs on its embedded broker; alerts are put into the database as a commit of the pipeline does. The
receiver answers slowly, not at all, with 503, a redirect, 100 MB, and disappears for a while (--away: so long, while
records are read); the daemon is killed in between. Another one speaks TLS with a certificate of an authority of its own. Ends with `N passed, N failed`."""
import base64
import csv
import hashlib
import hmac
import http.server
import io
import json
import os
import signal
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from tally import any_failed, check, end

ALERTS = 16
WAYS = ('fine', 'slow', 'busy', 'fine', 'redirect', 'huge', 'fine', 'rude', 'later', 'fine')
KEY = b'a secret of the test'


class Receiver:
    """One port; /hook misbehaves, the other paths take everything. `taken`: path -> list of (id, body, headers)."""

    def __init__(self, certificate=None):
        self.certificate = certificate
        self.taken, self.tries, self.lock, self.port, self.server = {}, {}, threading.Lock(), 0, None
        self.hang = threading.Event()
        self.start()

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                receiver.post(self)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass

        self.server = Server(('127.0.0.1', self.port), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate + '.pem', self.certificate + '.key')
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def post(self, h):
        body = h.rfile.read(int(h.headers['Content-Length']))
        with self.lock:
            n = self.tries[h.path] = self.tries.get(h.path, 0) + 1
        behaviour = WAYS[n % len(WAYS)] if h.path == '/hook' else 'fine'
        if h.path == '/hang':
            self.hang.wait(60)
        if behaviour == 'slow':
            time.sleep(0.5)
        if behaviour == 'rude':
            h.close_connection = True
            h.connection.close()
            return
        if behaviour in ('busy', 'redirect', 'later'):
            h.send_response({'busy': 503, 'redirect': 302, 'later': 429}[behaviour])
            h.send_header('Location', f'http://127.0.0.1:{self.port}/elsewhere')
            h.send_header('Content-Length', '0')
            h.end_headers()
            return
        with self.lock:
            self.taken.setdefault(h.path, []).append((h.headers.get('webhook-id'), body, dict(h.headers)))
        h.send_response(200)
        h.send_header('Content-Length', str(100 << 20) if behaviour == 'huge' else '2')
        h.end_headers()
        try:
            for _ in range(1600 if behaviour == 'huge' else 0):
                h.wfile.write(b'x' * 65536)
            h.wfile.write(b'{}')
        except OSError:
            pass

    def ids(self, path):
        with self.lock:
            return [i for i, _, _ in self.taken.get(path, [])]


def wait(what, seconds, condition):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    print(f'     gave up after {seconds} s: {what}')
    return False


class Daemon:
    def __init__(self, binary, place):
        self.binary, self.place, self.log = binary, place, open(os.path.join(place, 'log'), 'ab')
        self.db = os.path.join(place, 'driftd.db')
        self.start()

    def start(self):
        address = os.path.join(self.place, 'broker')
        if os.path.exists(address):
            os.remove(address)
        self.process = subprocess.Popen([self.binary, 'run', 'driftd.yaml', '--bootstrap-file', 'broker'],
                                        cwd=self.place, stdout=self.log, stderr=self.log)
        wait('the daemon starts', 20, lambda: os.path.exists(address) and open(address).read().endswith('\n'))
        self.broker = open(address).read().strip()

    def end(self, signal_number):
        self.process.send_signal(signal_number)
        return self.process.wait(30)

    def sql(self, text, arguments=()):
        connection = sqlite3.connect(self.db, timeout=20)
        try:
            with connection:
                return connection.execute(text, arguments).fetchall()
        finally:
            connection.close()


def put(daemon, first, n, event='open', model='credit', severity='warning', kind='coverage'):
    """What a commit of the pipeline leaves."""
    connection = sqlite3.connect(daemon.db, timeout=20)
    with connection:
        for i in range(first, first + n):
            alert = '%032x' % (i + 1)
            if event == 'open':
                connection.execute('INSERT INTO alerts(alert_id, episode_id, stream_id, kind, severity, state, opened_ms,'
                                   ' partition, offset) VALUES(?, ?, 0, ?, ?, ?, 1700000000000, 0, ?)',
                                   (alert, alert, kind, severity, 'open', i))
            body = {'id': f'{alert}-{1 if event == "open" else 2}', 'alert': alert, 'event': event, 'model': model,
                    'stream': f'coverage:y{i}', 'kind': kind, 'severity': severity,
                    'text': f'what:  coverage of "{i}" ü changed\nsince: -'}
            connection.execute('INSERT INTO outbox(alert_id, event, body) VALUES(?, ?, ?)',
                               (alert, event, json.dumps(body)))
    connection.close()
    return [f'{i + 1:032x}-{1 if event == "open" else 2}' for i in range(first, first + n)]


CONFIG = """
database: driftd.db
kafka: {{brokers: embedded}}
topics: {{records: [inference.m]}}
models: auto
alerts:
  sinks:
    - webhook: {{name: bad, url: "http://127.0.0.1:{port}/hook", secret_file: secret, timeout: 2s}}
    - webhook: {{name: hanging, url: "http://127.0.0.1:{port}/hang", timeout: 30s}}
    - webhook: {{name: good, url: "http://127.0.0.1:{port}/good", token_file: secret, models: ["cre*"]}}
    - webhook: {{name: slack, url: "http://127.0.0.1:{port}/slack", format: slack, severity: critical}}
    - pagerduty: {{url: "http://127.0.0.1:{port}/pd", routing_key_file: secret, kinds: [coverage]}}
    - alertmanager: {{url: "http://127.0.0.1:{port}/am/", resend: 1s}}
    - webhook: {{name: trusted, url: "https://localhost:{tls}/trusted", ca_file: authority.pem}}
    - webhook: {{name: doubted, url: "https://localhost:{tls}/doubted"}}
    - kafka: {{topic: driftd.alerts}}
    - command: {{command: [sh, -c, "cat >> commanded; echo >> commanded"]}}
    - log: {{}}
"""


def certificates(place):
    """authority.pem, and one for localhost signed by it: localhost.pem, localhost.key."""
    def openssl(*arguments):
        subprocess.run(['openssl', *arguments], cwd=place, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2')
    with open(os.path.join(place, 'names'), 'w') as f:
        f.write('subjectAltName=DNS:localhost\n')
    openssl('req', '-x509', *key, '-keyout', 'authority.key', '-out', 'authority.pem', '-subj', '/CN=authority of the test')
    openssl('req', *key[:-2], '-keyout', 'localhost.key', '-out', 'localhost.csr', '-subj', '/CN=localhost')
    openssl('x509', '-req', '-in', 'localhost.csr', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial',
            '-days', '2', '-extfile', 'names', '-out', 'localhost.pem')
    return os.path.join(place, 'localhost')


def tls(daemon, secure, ids):
    check('a_receiver_of_an_own_authority_is_trusted', wait('trusted', 20, lambda: set(ids) <= set(secure.ids('/trusted'))))
    errors = daemon.sql("SELECT DISTINCT state, error FROM deliveries WHERE sink = 'doubted' AND attempts > 0")
    check('and_not_by_those_who_do_not_know_it', not secure.ids('/doubted') and errors and all(
        state == 'pending' and 'certificate' in error for state, error in errors), errors)


def signed(item):
    identity, body, headers = item
    content = b'%s.%s.%s' % (identity.encode(), headers['webhook-timestamp'].encode(), body)
    mac = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    return headers['webhook-signature'] == 'v1,' + mac and headers['Idempotency-Key'] == f'"{identity}"'


def good_sinks(daemon, receiver, place, ids):
    start = time.monotonic()
    check('a_good_sink_is_served_beside_bad_ones', wait('good', 10, lambda: set(ids) <= set(receiver.ids('/good'))),
          f'{time.monotonic() - start:.2f} s')
    check('messages_of_a_sink_come_in_order', receiver.ids('/good') == ids)
    check('a_token_is_sent', all(h['Authorization'] == 'Bearer ' + KEY.decode() for _, _, h in receiver.taken['/good']))
    check('slack_gets_critical_ones_only', not receiver.ids('/slack'))
    wait('pagerduty', 10, lambda: len(receiver.ids('/pd')) >= len(ids))
    pages = [json.loads(b) for _, b, _ in receiver.taken['/pd']]
    check('pagerduty_gets_an_incident_an_alert', len({p['dedup_key'] for p in pages}) == len(ids) and all(
        p['event_action'] == 'trigger' and p['payload']['severity'] == 'warning' for p in pages))
    path = os.path.join(place, 'commanded')
    check('a_command_reads_the_message', wait('command', 20, lambda: os.path.exists(path) and sorted(
        json.loads(line)['id'] for line in open(path)) == sorted(ids)))
    wait('kafka', 20, lambda: daemon.sql("SELECT count(*) FROM deliveries WHERE sink = 'kafka' AND state = 'sent'")[0][0]
         >= len(ids))
    text = subprocess.run(['kcat', '-b', daemon.broker, '-t', 'driftd.alerts', '-C', '-e', '-q', '-f', '%k %s\n'],
                          stdout=subprocess.PIPE, text=True, timeout=30).stdout.splitlines()
    events = [(line[:32], json.loads(line[33:])) for line in text]
    check('kafka_gets_cloud_events_keyed_by_alert', sorted(e['id'] for _, e in events) == sorted(ids) and all(
        k == e['subject'] == e['data']['alert'] and e['type'] == 'driftd.alert.open' for k, e in events))
    log = open(os.path.join(place, 'log'), errors='replace').read()
    check('the_log_has_every_alert', all(i in log for i in ids))
    check('no_secret_is_logged', KEY.decode() not in log)


def alertmanager(receiver, ids):
    def last():
        state = {}
        for _, body, _ in receiver.taken.get('/am/api/v2/alerts', []):
            for a in json.loads(body):
                state[a['annotations']['alert']] = a
        return state
    alerts = {i[:32] for i in ids}
    check('alertmanager_is_told_every_alert', wait('alertmanager', 10, lambda: set(last()) == alerts))
    n = receiver.tries['/am/api/v2/alerts']
    check('firing_alerts_are_sent_again', wait('resend', 10, lambda: receiver.tries['/am/api/v2/alerts'] > n + 1))
    some = next(iter(last().values()))
    check('labels_identify', some['labels']['alertname'] == 'driftd_coverage' and some['labels']['model'] == 'credit'
          and some['startsAt'].startswith('2023-11-14T22:13:20') and some['endsAt'] > time.strftime('%Y-%m-%dT%H:%M'))
    return last


def copies(daemon, place):
    """Beside the daemon that writes."""
    copy = os.path.join(place, 'copy.db')
    subprocess.run([daemon.binary, 'backup', daemon.db, copy], check=True)
    told = subprocess.run([daemon.binary, 'backup', daemon.db, copy + '2', '--json'], check=True, stdout=subprocess.PIPE)
    check('a_backup_says_what_it_made', json.loads(told.stdout) == {
        'database': daemon.db, 'copy': copy + '2', 'bytes': os.path.getsize(copy + '2')})
    rows = sqlite3.connect(copy)
    check('a_backup_is_whole', rows.execute('PRAGMA quick_check').fetchall() == [('ok',)] and rows.execute(
        'SELECT count(*) FROM outbox').fetchall() == daemon.sql('SELECT count(*) FROM outbox') and
        os.stat(copy).st_mode & 0o777 == 0o640)
    rows.close()
    check('a_backup_overwrites_nothing', subprocess.run([daemon.binary, 'backup', daemon.db, copy],
                                                        stderr=subprocess.DEVNULL).returncode == 78)
    text = subprocess.run([daemon.binary, 'export', copy, 'outbox'], check=True, stdout=subprocess.PIPE).stdout
    lines = list(csv.reader(io.StringIO(text.decode(), newline='')))
    connection = sqlite3.connect(copy)
    check('an_export_says_what_the_table_holds', lines[0][:3] == ['outbox_id', 'alert_id', 'event'] and [
        tuple(line) for line in lines[1:]] == [tuple(map(str, row)) for row in connection.execute(
            'SELECT * FROM outbox')], f'{len(lines)} lines')
    text = subprocess.run([daemon.binary, 'export', copy, 'outbox', '--json'], check=True, stdout=subprocess.PIPE).stdout
    check('and_so_as_json', [list(map(str, row.values())) for row in json.loads(text)] == lines[1:])
    connection.close()
    process = subprocess.Popen([daemon.binary, 'status', daemon.db, '--watch', '--json'], stdout=subprocess.PIPE)
    two = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.stdout.close()
    process.kill()
    process.wait()
    check('status_watches', all('summary' in s for s in two))


def main():
    driftd = os.path.abspath(sys.argv[1])
    receiver = Receiver()
    seconds = int(sys.argv[3]) if sys.argv[2:3] == ['--away'] else 0
    with tempfile.TemporaryDirectory() as place:
        secure = Receiver(certificates(place))
        with open(os.path.join(place, 'driftd.yaml'), 'w') as f:
            f.write(CONFIG.format(port=receiver.port, tls=secure.port))
        with open(os.path.join(place, 'secret'), 'wb') as f:
            f.write(KEY + b'\n')
        os.chmod(os.path.join(place, 'secret'), 0o600)
        daemon = Daemon(driftd, place)
        try:
            if seconds:
                away(daemon, receiver, place, seconds)
            else:
                run(daemon, receiver, secure, place)
        finally:
            if daemon.process.poll() is None:
                daemon.end(signal.SIGKILL)
            if any_failed():
                print(open(os.path.join(place, 'log'), errors='replace').read()[-4000:])
    return end()


def rate(daemon, first, n):
    """Records a second from the broker into the database."""
    lines = '\n'.join('{"id":"r%d","ts":%d,"model":"m","features":{"x":%d}}' % (i, 1700000000000 + i * 100, i % 17)
                      for i in range(first, first + n))
    subprocess.run(['kcat', '-b', daemon.broker, '-P', '-t', 'inference.m'], input=lines, text=True, check=True)
    start = time.monotonic()
    wait('the records are read', 120, lambda: daemon.sql("SELECT sum(n) FROM counters WHERE name = 'records'")[0][0]
         == first + n)
    return n / (time.monotonic() - start)


def away(daemon, receiver, place, seconds):
    """Nobody listens for so long, while alerts open and records are read."""
    n, batch = 0, 50000
    rate(daemon, 0, batch)  # the first ones wait for the topic to be found
    before = max(rate(daemon, batch * k, batch) for k in (1, 2, 3))
    receiver.stop()
    start, rates, ids = time.monotonic(), [], []
    while time.monotonic() - start < seconds:
        ids += put(daemon, n, 5)
        n += 5
        if len(rates) < 8:
            rates.append(rate(daemon, batch * (4 + len(rates)), batch))
        time.sleep(min(20, max(0, seconds - (time.monotonic() - start))))
    tries = daemon.sql("SELECT max(attempts) FROM deliveries WHERE sink = 'good'")[0][0]
    receiver.start()
    back = time.monotonic()
    check('after_its_absence_every_alert_arrives', wait('everything arrives', 420, lambda: set(ids) <= set(receiver.ids(
        '/good'))), f'{len(ids)} alerts, away {back - start:.0f} s, {tries} tries, then {time.monotonic() - back:.0f} s')
    got = receiver.ids('/good')
    check('each_once', len(got) == len(set(got)) == len(ids), len(got))
    check('meanwhile_records_are_read_as_fast', max(rates) > 0.5 * before,
          f'{before:.0f} records a second before, at most {max(rates):.0f} and at least {min(rates):.0f} meanwhile')


def run(daemon, receiver, secure, place):
    ids = put(daemon, 0, ALERTS // 2)
    good_sinks(daemon, receiver, place, ids)
    tls(daemon, secure, ids)
    state = alertmanager(receiver, ids)
    ids += put(daemon, ALERTS // 2, ALERTS // 2)
    daemon.end(signal.SIGKILL)
    daemon.start()
    receiver.stop()  # it disappears
    ids += put(daemon, ALERTS, 1, severity='critical')
    tries = wait('tries at nobody', 10, lambda: daemon.sql(
        "SELECT count(*) FROM deliveries WHERE sink = 'good' AND attempts > 1 AND state = 'pending'")[0][0] > 0)
    check('it_is_tried_again_while_nobody_is_there', tries)
    receiver.start()
    everything = wait('everything arrives', 90, lambda: set(ids) <= set(receiver.ids('/hook')) and set(ids) <= set(
        receiver.ids('/good')))
    check('every_alert_arrives_at_a_bad_receiver', everything,
          f'{len(set(ids) - set(receiver.ids("/hook")))} missing, {receiver.tries["/hook"]} tries')
    check('redirects_are_not_followed', '/elsewhere' not in receiver.tries)
    check('every_message_is_signed', all(signed(i) for i in receiver.taken['/hook']))
    check('slack_gets_the_text', wait('slack', 20, lambda: receiver.taken.get('/slack')) and
          json.loads(receiver.taken['/slack'][0][1]) == {'text': f'what:  coverage of "{ALERTS}" ü changed\nsince: -'})
    check('a_hanging_sink_has_held_up_nobody', not receiver.ids('/hang') and receiver.tries['/hang'] <= 4,
          f'{receiver.tries["/hang"]} tries')
    put(daemon, 0, 1, 'resolved')
    check('alertmanager_is_told_the_end', wait('end', 10, lambda: state()['%032x' % 1]['endsAt'] < time.strftime(
        '%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + 2))))
    check('marks_are_kept', daemon.sql("SELECT count(*) FROM deliveries WHERE sink = 'bad' AND state = 'dead'") == [(0,)])
    copies(daemon, place)
    stored = b''.join(open(os.path.join(place, n), 'rb').read() for n in os.listdir(place) if n.startswith('driftd.db'))
    check('no_secret_is_stored', KEY not in stored and b'coverage of' in stored)
    receiver.hang.set()
    start = time.monotonic()
    check('a_clean_stop_is_quick', daemon.end(signal.SIGTERM) == 0, f'{time.monotonic() - start:.1f} s')
    listed = subprocess.run([daemon.binary, 'outbox', 'list', daemon.db, '--json', '--state', 'sent'],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    check('the_outbox_is_listed', len({(m['outbox_id'], m['sink']) for m in json.loads(listed)}) > 8 * len(ids) - 60)


if __name__ == '__main__':
    sys.exit(main())
