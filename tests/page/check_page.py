#!/usr/bin/env python3
"""The report in a real browser: it loads without an error, shows what the database says, asks nothing of any other
place, does not scroll sideways at 360 pixels, and can be used with the keyboard.

    check_page.py DRIFTD DATA_DIR OUT_DIR

Replays the bike-sharing stream, writes its report, opens every kind of view in headless Chromium and compares the
figures on them with queries. Screenshots stay in OUT_DIR. Ends with `N passed, N failed`."""
import html.parser
import os
import re
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tools'))
from tally import check, end  # noqa: E402

# measured inside the page, read from its document afterwards
PROBE = '''<script>addEventListener('load', () => setTimeout(() => {
	const e = parent.document.documentElement;
	e.dataset.width = innerWidth; e.dataset.scroll = document.documentElement.scrollWidth;
	e.dataset.unlabelled = [...document.querySelectorAll('[role=img]')].filter(x => !x.getAttribute('aria-label')).length;
	e.dataset.pictures = document.querySelectorAll('figure').length;
	e.dataset.tables = document.querySelectorAll('figure details table').length;
	e.dataset.unreachable = [...document.querySelectorAll('a, button, summary')].filter(x => x.tabIndex < 0).length;
}, 1500));</script></body>'''


class Page(html.parser.HTMLParser):
    """data-value by id, the texts of elements, and addresses that a browser would load."""

    def __init__(self, text):
        super().__init__()
        self.value, self.texts, self.loads, self.root = {}, {}, [], {}
        self.open, self.values = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == 'html':
            self.root = a
        if 'data-value' in a:
            self.values.append(a['data-value'])
            if 'id' in a:
                self.value[a['id']] = a['data-value']
        for key in ('src', 'href'):
            if re.match(r'(https?:)?//', a.get(key) or ''):
                self.loads.append(a[key])
        if tag not in ('br', 'meta', 'link', 'hr', 'img', 'input', 'rect'):
            self.open.append(a.get('id'))

    def handle_endtag(self, tag):
        if self.open:
            self.open.pop()

    def handle_data(self, text):
        for i in filter(None, self.open):
            self.texts[i] = self.texts.get(i, '') + text


class Browser:
    def __init__(self, out):
        self.out = out
        self.command = [os.environ.get('CHROMIUM', 'chromium'), '--headless', '--no-sandbox', '--disable-gpu',
                        '--hide-scrollbars', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--virtual-time-budget=6000',
                        '--enable-logging=stderr', '--allow-file-access-from-files', f'--user-data-dir={out}/profile']

    def run(self, *arguments):
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, timeout=120)

    def dom(self, name, file, view, *arguments):
        done = self.run('--dump-dom', *arguments, f'file://{file}#{view}')
        complaints = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
        check(f'{name}/no_console_message', not complaints, complaints[:2])
        page = Page(done.stdout)
        check(f'{name}/asks_nothing_of_other_places', not page.loads, page.loads[:2])
        check(f'{name}/every_picture_has_words_and_a_table', page.root.get('data-unlabelled') == '0' and
              page.root.get('data-pictures') == page.root.get('data-tables'), page.root)
        check(f'{name}/every_control_is_reached_by_tab', page.root.get('data-unreachable') == '0')
        return page, done.stdout

    def shot(self, name, file, view, *arguments):
        self.run(f'--screenshot={self.out}/{name}.png', *arguments, f'file://{file}#{view}')


def figure(connection, sql, *arguments):
    return connection.execute(sql, arguments).fetchone()[0]


def same(text, value):
    return text is not None and value is not None and abs(float(text) - value) <= 1e-12 * max(1, abs(value))


def views(browser, file, db):
    model = 'bike'
    alert = figure(db, "SELECT alert_id FROM alerts WHERE severity <> 'info' ORDER BY opened_ms LIMIT 1")
    stream = figure(db, "SELECT stream_id FROM streams WHERE kind = 'feature' AND field = 'temp'")
    page, text = browser.dom('overview', file, '/')
    for name in ('allowance', 'spent', 'alarms'):
        check(f'overview/{name}_is_that_of_the_database', same(page.value.get(name),
              figure(db, f'SELECT {name} FROM budget')), page.value.get(name))
    check('overview/records_are_those_of_the_database', same(page.value.get('records'), figure(
        db, "SELECT sum(n) FROM counters WHERE name = 'records'")))
    check('overview/coverage_is_that_of_the_database', repr(figure(
        db, 'SELECT coverage FROM coverage_now')) in page.values)
    page, text = browser.dom('model', file, f'/model/{model}')
    worst = figure(db, 'SELECT coverage FROM coverage_daily ORDER BY n DESC, day LIMIT 1')
    check('model/daily_coverage_is_that_of_the_database', any(same(v, worst) for v in page.values), worst)
    for name in ('predictions', 'matched_ids', 'waiting'):
        n = figure(db, f'SELECT {name} FROM joins')
        check(f'model/{name}_is_that_of_the_database', str(n) in page.values, n)
    page, text = browser.dom('stream', file, f'/stream/{stream}')
    effect = figure(db, "SELECT statistic FROM detectors WHERE stream_id = ? AND role = 'paging'", stream)
    check('stream/statistic_is_that_of_the_database', any(same(v, effect) for v in page.values), effect)
    page, text = browser.dom('alert', file, f'/alert/{alert}')
    check('alert/tells_the_story_of_the_database', page.texts.get('story') == figure(
        db, 'SELECT text FROM alerts WHERE alert_id = ?', alert))
    check('alert/offers_the_next_command', f'driftd ack DB {alert[:8]}' in text)
    page, text = browser.dom('nothing', file, '/model/%3Cimg%20src=x%20onerror=alert(1)%3E')
    check('nothing/names_what_it_does_not_have', 'holds no model' in text and '<img' not in text)
    for view, address in (('overview', '/'), ('model', f'/model/{model}'), ('stream', f'/stream/{stream}'),
                          ('alert', f'/alert/{alert}')):
        narrow = os.path.join(browser.out, f'{view}-narrow.html')
        with open(narrow, 'w') as f:
            f.write(f'<iframe src="{os.path.basename(file)}#{address}" width=360 height=1900 style="border:0"></iframe>')
        page, text = browser.dom(f'{view}_at_360', narrow, '')
        check(f'{view}_at_360/does_not_scroll_sideways', page.root.get('data-width') == '360' and
              int(page.root.get('data-scroll', 9999)) <= 360, page.root)
        browser.shot(f'{view}', file, address, '--window-size=1200,2000')
        browser.shot(f'{view}-dark', file, address, '--window-size=1200,2000', '--force-dark-mode')
        browser.shot(f'{view}-360', narrow, '', '--window-size=500,1920')


def live(browser, driftd, out, db):
    """The page of a running daemon shows the same as the report, by asking for it."""
    place = os.path.join(out, 'live')
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    shutil.copy(db, os.path.join(place, 'driftd.db'))
    with open(os.path.join(place, 'driftd.yaml'), 'w') as f:
        f.write('database: driftd.db\nkafka: {brokers: embedded}\ntopics: {records: [inference.bike]}\n'
                'models: [{name: bike}]\nwindows: {width: 1d}\nhttp: {listen: "127.0.0.1:0"}\n')
    log = open(os.path.join(place, 'log'), 'w')
    daemon = subprocess.Popen([driftd, 'run', 'driftd.yaml'], cwd=place, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        daemon.stdout.readline()
        address = daemon.stdout.readline().strip().split('=')[1]
        done = browser.run('--dump-dom', f'http://{address}/#/')
        page = Page(done.stdout)
        complaints = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
        check('live/no_console_message', not complaints, complaints[:2])
        connection = sqlite3.connect(os.path.join(place, 'driftd.db'))
        check('live/shows_the_database', same(page.value.get('spent'), figure(connection, 'SELECT spent FROM budget')))
        done = browser.run('--dump-dom', f'http://{address}/#/model/bike')
        check('live/a_model_is_fetched', str(figure(connection, 'SELECT matched_ids FROM joins')) in Page(done.stdout).values)
        connection.close()
    finally:
        daemon.terminate()
        check('live/the_daemon_stops', daemon.wait(60) == 0)
        daemon.stdout.close()
        log.close()


def hostile(browser, driftd, out):
    """Names that came with records are text, never markup."""
    name = '</script><script>document.documentElement.dataset.broken=1</script>'
    stream, config, db = (os.path.join(out, f) for f in ('hostile.jsonl', 'hostile.yaml', 'hostile.db'))
    with open(stream, 'w') as f:
        for i in range(300):
            f.write('{"id":"%d","ts":%d,"model":"%s","features":{"%s":%d}}\n' % (i, 1700000000000 + i * 60000, name, name, i))
    with open(config, 'w') as f:
        f.write('models: auto\n')
    file = report(driftd, config, [stream], db)
    page, text = browser.dom('hostile', file, '/')
    check('hostile/markup_in_names_stays_text', 'data-broken' not in text[:text.find('<head')] and
          '&lt;/script&gt;' in text)


def report(driftd, config, files, db, *more):
    for suffix in ('', '-wal', '-shm', '.lock'):
        if os.path.exists(db + suffix):
            os.remove(db + suffix)
    subprocess.run([driftd, 'replay', config, *files, '-o', db, '--quiet', *more], check=True, stdout=subprocess.DEVNULL)
    file = db.replace('.db', '.html')
    subprocess.run([driftd, 'report', db, '-o', file, '--quiet'], check=True, stdout=subprocess.DEVNULL)
    with open(file) as f:
        text = f.read()
    probed = db.replace('.db', '-probed.html')
    with open(probed, 'w') as f:
        f.write(text.replace('</body>', PROBE))
    return probed


def main():
    driftd, data, out = (os.path.abspath(a) for a in sys.argv[1:4])
    os.makedirs(out, exist_ok=True)
    bike, config, db = os.path.join(data, 'bike'), os.path.join(out, 'bike.yaml'), os.path.join(out, 'bike.db')
    with open(config, 'w') as f:
        f.write('models: [{name: bike}]\nwindows: {width: 1d}\n')
    file = report(driftd, config, [os.path.join(bike, 'stream.jsonl.gz'), os.path.join(bike, 'labels.jsonl.gz')], db,
                  '--reference', os.path.join(bike, 'reference.jsonl.gz'))
    connection = sqlite3.connect(db)
    browser = Browser(out)
    views(browser, file, connection)
    hostile(browser, driftd, out)
    live(browser, driftd, out, db)
    connection.close()
    return end()


if __name__ == '__main__':
    sys.exit(main())
