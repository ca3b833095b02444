#!/usr/bin/env python3
"""Planted changes in which one kind of uncertainty moves, and what the diagnosis of the alerts says of them.

    check_verdicts.py BINARY [SEEDS [FIRST [CASE...]]]       10 seeds a case, from 101 on

One record in ten minutes, the change after 17 of 28 days, labels (where there are some) two hours later. For each case
and seed what was said last within a day of the first alert is right (what must move has moved, and nothing but what
may), wrong, or abstains ("kinds not separable here"); alerts before the change, and in the cases without one, are
false. At most one verdict in ten of each case may be wrong, and false alarms may not exceed what the budget, of which
one a week is allowed, has spent, with probability .99.
"""
import json
import math
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

RECORDS, CHANGE, MEMBERS, STEP_MS, START_MS, DELAY_MS = 4000, 2500, 20, 600000, 1700000000000, 7200000
FIRST_SEED = 101  # lower ones may have been looked at while the diagnosis was written: they judge nothing
CONFIG = "models:\n  - name: m\n    reference: {from: first, records: 1000, span: 9d}\n"


class World:
    """One record after the other; `late`: after the change."""

    def __init__(self, case, seed):
        self.draw = random.Random(f"{case} {seed}")
        self.noise = 0.0

    def gauss(self, mean=0, sd=1):
        return self.draw.gauss(mean, sd)

    def members(self, spread, variance, value=0.0, count=MEMBERS):
        return {"mu": [round(self.gauss(value, spread), 6) for _ in range(count)],
                "var": [round(variance * self.draw.uniform(0.9, 1.1), 6) for _ in range(count)]}

    def ensemble(self, late, spread=1.0, variance=1.0, shift=0.0, follows=False, count=MEMBERS):
        """A regression ensemble without labels; factors hold after the change."""
        v = math.exp(self.gauss(0, 1.5 if follows else 0.5)) * (variance if late else 1)
        s = math.sqrt(v) if follows else math.exp(self.gauss(0, 0.25)) * (spread if late else 1)
        return {"features": {"x": round(self.gauss(shift if late else 0), 6)},
                "members": self.members(s, v, count=count if late else MEMBERS)}, None

    def labelled(self, late, bias=0.0, noise=1.0, on_z=0.0, memory=0.0, width=1.0, slope=0.0):
        """The same with an interval and a label whose error is N(0, its variance) before the change."""
        x, z, v = self.gauss(), self.gauss(), math.exp(self.gauss(0, 0.5))
        members = self.members(0.2, v, 2 * x)
        value = sum(members["mu"]) / MEMBERS
        sd = math.sqrt(sum(members["var"]) / MEMBERS)
        old, error = self.noise, self.gauss()
        if late:
            error = on_z * z + math.sqrt(1 - on_z * on_z) * error
            error = memory * old + math.sqrt(1 - memory * memory) * error
        self.noise = error
        half = 1.645 * sd * (width if late else 1)
        label = value + sd * ((error * noise + bias) if late else error) + (slope * x if late else 0)
        return {"features": {"x": round(x, 6), "z": round(z, 6)}, "members": members,
                "prediction": {"value": round(value, 6), "lower": round(value - half, 6),
                               "upper": round(value + half, 6), "level": 0.9}}, round(label, 6)

    def classes(self, late, worse=0.0, surer=1.0):
        """Probabilities of two classes that are right as often as they say before the change."""
        x = [self.gauss() for _ in range(6)]
        truth = 1 / (1 + math.exp(-0.7 * sum(x)))
        claimed = 1 / (1 + math.exp(-0.7 * sum(x) * (surer if late else 1)))
        label = self.draw.random() < (truth * (1 - worse) + worse / 2 if late else truth)
        return {"features": {f"x{i}": round(v, 6) for i, v in enumerate(x)}, "members": {"probs": [[1 - claimed, claimed]] * 2},
                "prediction": {"class": "yes" if claimed > 0.5 else "no", "classes": ["no", "yes"],
                               "probs": [round(1 - claimed, 6), round(claimed, 6)]}}, "yes" if label else "no"

    def dirichlet(self, late, evidence=1.0):
        s = (20 * evidence if late else 20) * math.exp(self.gauss(0, 0.3))
        p = [self.draw.gammavariate(3, 1) for _ in range(3)]
        return {"dirichlet": [round(1 + s * q / sum(p), 6) for q in p]}, None

    def bootstrap(self, late, spread=1.0):
        s = math.exp(self.gauss(0, 0.25)) * (spread if late else 1)
        return {"members": {"mu": [round(self.gauss(0, s), 6) for _ in range(MEMBERS)]}, "source": "bootstrap"}, None

    def nested(self, late, within=1.0, between=1.0):
        w, b = math.exp(self.gauss(0, 0.2)) * (within if late else 1), math.exp(self.gauss(0, 0.2)) * (
            between if late else 1)
        rows = []
        for _ in range(MEMBERS):
            mean = self.gauss(0, b)
            rows.append([round(self.gauss(mean, w), 6) for _ in range(10)])
        return {"samples": rows}, None

    def embedded(self, late, strange=0.0):
        """An ensemble beside the embeddings of its inputs, a share of which are far from the others."""
        far = 4 if late and self.draw.random() < strange else 0
        record, _ = self.ensemble(False)
        del record["features"]
        return {"embedding": [round(self.gauss(far), 5) for _ in range(8)], **record}, None

    def probed(self, late, flips=0.1):
        """An ensemble of a classifier, and of each record a perturbed twin whose class is sometimes another."""
        p = self.draw.uniform(0.6, 0.95)
        members = [min(max(p + self.gauss(0, 0.03), 0.01), 0.99) for _ in range(MEMBERS)]
        flipped = self.draw.random() < (flips if late else 0.1)
        return {"members": {"probs": [[round(m, 5), round(1 - m, 5)] for m in members]},
                "prediction": {"class": "a"},
                "twin": {"prediction": {"class": "b" if flipped else "a"}, "perturbation": "fgsm", "severity": 1}}, None

    def seldom(self, late, spread=1.0):
        """Inputs of every record move, only one in fifteen says how unsure it is."""
        record, _ = self.ensemble(late, spread=spread, shift=1.0)
        self.count = getattr(self, "count", -1) + 1
        if self.count % 15:
            del record["members"]
        return record, None


CASES = {  # how records are made, with what; kinds that must move; kinds that may besides
    "epistemic": ("ensemble", {"spread": 1.6}, {"epistemic"}, {"total"}),
    "epistemic falls": ("ensemble", {"spread": 0.6}, {"epistemic"}, {"total"}),
    "aleatoric": ("ensemble", {"variance": 1.8}, {"aleatoric"}, {"total"}),
    "both": ("ensemble", {"spread": 1.6, "variance": 1.8}, {"epistemic", "aleatoric"}, {"total"}),
    "inputs and epistemic": ("ensemble", {"spread": 1.6, "shift": 1.0}, {"inputs", "epistemic"}, {"total"}),
    "inputs": ("ensemble", {"shift": 1.0}, {"inputs"}, set()),
    "not separable": ("ensemble", {"variance": 2.5, "follows": True}, {"abstained"}, set()),
    "bootstrap": ("bootstrap", {"spread": 1.6}, {"epistemic"}, set()),
    "dirichlet": ("dirichlet", {"evidence": 0.5}, {"epistemic"}, {"total", "aleatoric"}),
    "monte carlo, within": ("nested", {"within": 1.4}, {"aleatoric"}, {"total"}),
    "monte carlo, between": ("nested", {"between": 1.4}, {"epistemic"}, {"total"}),
    "discrepancy: bias": ("labelled", {"bias": 0.6}, {"discrepancy"}, {"coverage"}),
    "discrepancy: scale": ("labelled", {"noise": 1.5}, {"discrepancy"}, {"coverage"}),
    "discrepancy: slope": ("labelled", {"slope": 0.8}, {"discrepancy"}, {"coverage", "structure"}),
    "structure: a feature": ("labelled", {"on_z": 0.8}, {"structure"}, set()),
    "structure: memory": ("labelled", {"memory": 0.97}, {"structure"}, {"discrepancy", "coverage"}),
    "conformal": ("labelled", {"width": 0.6}, {"coverage"}, set()),
    "calibration": ("classes", {"worse": 0.5}, {"discrepancy"}, {"performance", "structure"}),
    "out of distribution": ("embedded", {"strange": 0.15}, {"ood"}, set()),
    "adversarial": ("probed", {"flips": 0.3}, {"robustness"}, set()),
    "rates fifteen times apart": ("seldom", {"spread": 1.6}, {"abstained"}, set()),
    "nothing, embedded": ("embedded", {}, set(), set()),
    "nothing, probed": ("probed", {}, set(), set()),
    "another number of members": ("ensemble", {"count": 5}, set(), set()),
    "nothing, labelled": ("labelled", {}, set(), set()),
    "nothing": ("ensemble", {}, set(), set()),
}


def write(folder, case, seed):
    how, with_what, _, _ = CASES[case]
    world = World(case, seed)
    labels = []
    with open(os.path.join(folder, "records.jsonl"), "w", encoding="utf-8") as out:
        for i in range(RECORDS):
            ts = START_MS + i * STEP_MS
            record, label = getattr(world, how)(i >= CHANGE, **with_what)
            twin = record.pop("twin", None)
            out.write(json.dumps({"id": f"r{i}", "ts": ts, "model": "m", **record}) + "\n")
            if twin:
                out.write(json.dumps({"id": f"r{i}~", "ts": ts, "model": "m", "probe_of": f"r{i}", **twin}) + "\n")
            if label is not None:
                labels.append({"id": f"r{i}", "ts": ts + DELAY_MS, "model": "m", "label": label})
    with open(os.path.join(folder, "labels.jsonl"), "w", encoding="utf-8") as out:
        for label in labels:
            out.write(json.dumps(label) + "\n")


def replay(binary, case, seed):
    """Alerts before the change, false ones that the budget spent, and what was said last within a day of the first one after it (None: no alert)."""
    must_move = CASES[case][2]
    with tempfile.TemporaryDirectory() as folder:
        config, database = os.path.join(folder, "c.yaml"), os.path.join(folder, "r.db")
        with open(config, "w", encoding="utf-8") as out:
            out.write(CONFIG)
        write(folder, case, seed)
        run = subprocess.run([binary, "replay", config, os.path.join(folder, "records.jsonl"),
                              os.path.join(folder, "labels.jsonl"), "-o", database], capture_output=True, text=True,
                             timeout=300)
        if run.returncode:
            sys.exit(f"replay: {run.stderr}")
        db = sqlite3.connect(database)
        change = START_MS + (CHANGE if must_move else RECORDS) * STEP_MS
        # of what the budget covers
        false = db.execute("SELECT count(*) FROM alerts WHERE opened_ms < ? AND promise = 'certified'",
                           (change,)).fetchone()[0]
        verdict = db.execute("SELECT moved, diagnosis FROM alerts WHERE opened_ms >= ?1 AND moved IS NOT NULL AND"
                             " opened_ms < 86400000 + (SELECT min(opened_ms) FROM alerts WHERE opened_ms >= ?1 AND"
                             " moved IS NOT NULL) ORDER BY updated_ms DESC, opened_ms DESC, alert_id LIMIT 1",
                             (change,)).fetchone()
        spent = db.execute("SELECT spent FROM budget").fetchone()[0]
        db.close()
    return false, spent, verdict


def poisson_limit(mean):
    """The least k that is exceeded with probability below .01."""
    k, term = 0, math.exp(-mean)
    total = term
    while 1 - total >= 0.01:
        k += 1
        term *= mean / k
        total += term
    return k


def judge(case, moved):
    """right, wrong or abstained."""
    kinds = set(moved.split(","))
    _, _, must_move, may_move = CASES[case]
    if kinds == {"abstained"} and must_move != kinds:
        return "abstained"
    return "right" if must_move <= kinds <= must_move | may_move else "wrong"


def main():
    binary, seeds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
    first = int(sys.argv[3]) if len(sys.argv) > 3 else FIRST_SEED
    days = wrong = all_false = judged = unseen = failed = 0
    spent = 0.0
    print(f"seeds {first} to {first + seeds - 1}\n{'case':26} right  wrong  abstained  unseen  false alarms")
    for case in sys.argv[4:] or CASES:
        count = dict.fromkeys(("right", "wrong", "abstained", "unseen"), 0)
        false, sentence, bad = 0, "", ""
        for seed in range(first, first + seeds):
            before, cost, verdict = replay(binary, case, seed)
            false += before
            spent += cost
            days += (CHANGE if CASES[case][2] else RECORDS) * STEP_MS / 86400000
            if not CASES[case][2]:
                continue
            said = judge(case, verdict[0]) if verdict else "unseen"
            count[said] += 1
            sentence = sentence or (verdict[1] if verdict else "")
            bad = bad or (f"{verdict[0]}: {verdict[1]}" if said == "wrong" else "")
        all_false += false
        judged += count["right"] + count["wrong"]
        wrong += count["wrong"]
        unseen += count["unseen"]
        failed += count["wrong"] * 10 > seeds
        print(f"{case:26} {count['right']:5} {count['wrong']:6} {count['abstained']:10} {count['unseen']:7}"
              f" {false:13}   {'WRONG ' + bad if bad else sentence}", flush=True)
    limit = poisson_limit(spent)
    print(f"{wrong} of {judged} verdicts wrong (at most 1 in 10 of each case), {unseen} changes not seen; {all_false} false"
          f" alarms in {days:.0f} days, in which {spent:.1f} were spent (at most {limit})")
    good = not failed and all_false <= limit and judged > 0
    print(f"{int(good)} passed, {int(not good)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
