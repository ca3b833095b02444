#!/usr/bin/env python3
"""Planted changes in which one kind of uncertainty moves, and what the diagnosis of the alerts says of them.

    check_verdicts.py BINARY [SEEDS]       10 seeds a case

A regression ensemble of 20 members with variances, one record in ten minutes, the change after 17 of 28 days.
For each case and seed what was said last within a day of the first alert is right, wrong, or abstains ("kinds not
separable here"); alerts before the change, and in the case without one, are false. At most one verdict in ten
may be wrong, and false alarms may not exceed what the budget of one a week allows with probability .99.
"""
import json
import math
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

RECORDS, CHANGE, MEMBERS, STEP_MS, START_MS = 4000, 2500, 20, 600000, 1700000000000
CONFIG = "models:\n  - name: m\n    reference: {from: first, records: 1000, span: 9d}\n    labels: off\n"
CASES = {  # factors of the members' spread and of their variances, shift of the input, does the spread follow the variance?
    "epistemic": (1.6, 1.0, 0.0, False),
    "aleatoric": (1.0, 1.8, 0.0, False),
    "both": (1.6, 1.8, 0.0, False),
    "inputs and epistemic": (1.6, 1.0, 1.0, False),
    "inputs": (1.0, 1.0, 1.0, False),
    "not separable": (1.4, 2.0, 0.0, True),
    "nothing": (1.0, 1.0, 0.0, False),
}
WANTED = {  # kinds that may move, and must; "total" goes with either
    "epistemic": {"epistemic"}, "aleatoric": {"aleatoric"}, "both": {"epistemic", "aleatoric"},
    "inputs and epistemic": {"inputs", "epistemic"}, "inputs": {"inputs"},
}


def write(path, case, seed):
    draw = random.Random(f"{case} {seed}")
    spread_factor, variance_factor, shift, follows = CASES[case]
    with open(path, "w", encoding="utf-8") as out:
        for i in range(RECORDS):
            late = i >= CHANGE
            variance = math.exp(draw.gauss(0, 1.5 if follows else 0.5)) * (variance_factor if late else 1)
            spread = math.sqrt(variance) if follows else math.exp(draw.gauss(0, 0.25))
            spread *= spread_factor if late and not follows else 1
            x = draw.gauss(shift if late else 0, 1)
            out.write(json.dumps({
                "id": f"r{i}", "ts": START_MS + i * STEP_MS, "model": "m", "features": {"x": round(x, 6)},
                "members": {"mu": [round(draw.gauss(0, spread), 6) for _ in range(MEMBERS)],
                            "var": [round(variance * draw.uniform(0.9, 1.1), 6) for _ in range(MEMBERS)]},
            }) + "\n")


def replay(binary, case, seed):
    """Alerts before the change, and the verdict of the first one after it (None: no alert)."""
    with tempfile.TemporaryDirectory() as folder:
        config, records = os.path.join(folder, "c.yaml"), os.path.join(folder, "r.jsonl")
        database = os.path.join(folder, "r.db")
        with open(config, "w", encoding="utf-8") as out:
            out.write(CONFIG)
        write(records, case, seed)
        run = subprocess.run([binary, "replay", config, records, "-o", database], capture_output=True,
                             text=True, timeout=300)
        if run.returncode:
            sys.exit(f"replay: {run.stderr}")
        db = sqlite3.connect(database)
        change = START_MS + CHANGE * STEP_MS if case != "nothing" else START_MS + RECORDS * STEP_MS
        false = db.execute("SELECT count(*) FROM alerts WHERE opened_ms < ?", (change,)).fetchone()[0]
        # what was said last within a day of the first alert
        verdict = db.execute("SELECT moved, diagnosis FROM alerts WHERE opened_ms >= ?1 AND moved IS NOT NULL AND"
                             " opened_ms < 86400000 + (SELECT min(opened_ms) FROM alerts WHERE opened_ms >= ?1)"
                             " ORDER BY opened_ms DESC, alert_id", (change,)).fetchone()
        db.close()
    return false, verdict


def poisson_limit(mean):
    """The least k that is exceeded with probability below .01."""
    k, term = 0, math.exp(-mean)
    total = term
    while 1 - total >= 0.01:
        k += 1
        term *= mean / k
        total += term
    return k


def main():
    binary, seeds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
    days = bad = all_false = judged = 0
    print(f"{'case':22} right  wrong  abstained  unseen  false alarms")
    for case in CASES:
        right = wrong = abstained = unseen = false = 0
        sentence = ""
        for seed in range(1, seeds + 1):
            before, verdict = replay(binary, case, seed)
            false += before
            days += (CHANGE if case != "nothing" else RECORDS) * STEP_MS / 86400000
            if case == "nothing":
                continue
            if verdict is None:
                unseen += 1
                continue
            sentence = sentence or verdict[1]
            if verdict[0] == "abstained":
                abstained += 1
            elif set(verdict[0].split(",")) - {"total"} == WANTED.get(case):
                right += 1
            else:
                wrong += 1
                sentence = verdict[1]
        if case == "not separable":  # to abstain is right there
            right, abstained = abstained, 0
        all_false += false
        judged += right + wrong
        bad += wrong
        print(f"{case:22} {right:5} {wrong:6} {abstained:10} {unseen:7} {false:13}   {sentence}")
    limit = poisson_limit(days / 7)
    print(f"{bad} of {judged} verdicts wrong (at most 1 in 10); {all_false} false alarms in {days:.0f} days of"
          f" one a week (at most {limit})")
    good = bad * 10 <= judged and all_false <= limit and judged > 0
    print(f"{int(good)} passed, {int(not good)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
