#!/usr/bin/env python3
"""Every query of docs/cookbook.md, run with the sqlite3 command on the database it speaks of: the printed answer
must be the answer.

    check_cookbook.py DRIFTD OUT_DIR [--write]

--write puts the answers of today into the page. Ends with `N passed, N failed`."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tools'))
from tally import check, end  # noqa: E402

PAGE, DATA, CONFIG = 'docs/cookbook.md', os.path.abspath('tests/data'), os.path.abspath('tests/docs/cookbook.yaml')
# a block of SQL, what stands between, and the block of text that it prints
QUERY = re.compile(r'(```sql\n)(.*?)(```\n\n```text\n)(.*?)(```\n)', re.S)


def database(driftd, out):
    db = os.path.join(out, 'cookbook.db')
    for suffix in ('', '-wal', '-shm', '.lock'):
        if os.path.exists(db + suffix):
            os.remove(db + suffix)
    files, references = [], []
    for name in ('bike', 'elec2', 'diamonds_planted'):
        folder = os.path.join(DATA, name)
        files += [os.path.join(folder, f) for f in ('stream.jsonl.gz', 'labels.jsonl.gz')
                  if os.path.exists(os.path.join(folder, f))]
        references += ['--reference', os.path.join(folder, 'reference.jsonl.gz')]
    # from within the folder: alerts name the database as it was given
    subprocess.run([os.path.abspath(driftd), 'replay', CONFIG, *files, *references, '-o', 'cookbook.db', '--quiet'],
                   check=True, stdout=subprocess.DEVNULL, cwd=out)
    return db


def main():
    driftd, out, write = sys.argv[1], sys.argv[2], '--write' in sys.argv[3:]
    os.makedirs(out, exist_ok=True)
    db = database(driftd, out)
    with open(PAGE) as f:
        page = f.read()

    def answer(match):
        sql, printed = match.group(2), match.group(4)
        done = subprocess.run(['sqlite3', '-readonly', '-header', '-column', db, sql], capture_output=True, text=True)
        real = '\n'.join(line.rstrip() for line in done.stdout.splitlines()) + '\n'
        right = done.returncode == 0 and not done.stderr and (write or real == printed)
        check(' '.join(sql.split())[:70], right, '' if right else f'\nprinted:\n{printed}\nanswer:\n{real}{done.stderr}')
        return match.group(1) + sql + match.group(3) + real + match.group(5)

    page = QUERY.sub(answer, page)
    if write:
        with open(PAGE, 'w') as f:
            f.write(page)
    questions, answered = page.count('```sql\n'), len(QUERY.findall(page))
    check('every query has a printed answer', questions == answered, (questions, answered))
    return end()


if __name__ == '__main__':
    sys.exit(main())
