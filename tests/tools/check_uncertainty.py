#!/usr/bin/env python3
"""What real uncertainty libraries emit, through `driftd uncertainty`, against truth.json.

    check_uncertainty.py BINARY [FOLDER]        tests/data/producers

- Every figure of every record within 1e-9 of its definition, written out here once more in plain Python.
- Means of truth.json within 1e-9, areas under the ROC curve within 1e-4. truth.json takes probabilities as
  they were emitted, driftd divides each row by its sum: float32 rows are off by up to 1e-6, so means of
  entropies may differ by as much as that moves them. Both definitions are computed here, the one of
  truth.json must meet it within 1e-9, and driftd's the other.
- Replayed, the daemon's streams have the same means as the filter's columns; coverage is that of truth.json
  within 1e-9, of perturbed twins pairs and flips exactly, accuracies to 1e-9.
- Nested draws: driftd floors the epistemic variance of a record at 0, truth.json does not: the definition
  above covers it.
"""
import csv
import gzip
import io
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile

FLOOR = 1e-12
SHOWN = 40  # failures
FIGURES = {  # name in truth.json -> column
    "total_entropy": "total", "expected_entropy": "expected", "mutual_information": "mi",
    "mutual_information_corrected": "mi_corrected", "epkl": "epkl", "epkl_corrected": "epkl_corrected",
    "aleatoric_brier": "var_aleatoric", "epistemic_brier": "var_epistemic", "one_minus_maxprob": "zo_total",
    "aleatoric_var": "var_aleatoric", "epistemic_var_ddof1": "var_epistemic", "vacuity": "vacuity",
    "differential_entropy": "diff_entropy", "nested_within_var": "var_aleatoric",
}
# epistemic_var of truth.json divides by M: areas under the curve are the same.
RANKED = dict(FIGURES, epistemic_var="var_epistemic")


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(text) for text in file]


def close(a, b, relative=1e-9, absolute=1e-12):
    return abs(a - b) <= max(absolute, relative * max(abs(a), abs(b)))


def members(rows, scaled):
    """Figures of classifier members: of rows as they are, or raised to FLOOR and divided by their sums."""
    if scaled:
        rows = [[max(p, FLOOR) for p in row] for row in rows]
        rows = [[p / math.fsum(row) for p in row] for row in rows]
    m = len(rows)
    logs = [[math.log(p if scaled else max(p, FLOOR)) for p in row] for row in rows]
    mean = [math.fsum(column) / m for column in zip(*rows)]
    mean_log = [math.fsum(column) / m for column in zip(*logs)]
    own = math.fsum(p * l for row, ls in zip(rows, logs) for p, l in zip(row, ls)) / m
    total = -math.fsum(q * math.log(q) for q in mean if q > 0)
    epkl = own - math.fsum(q * l for q, l in zip(mean, mean_log))
    out = {
        "total": total, "expected": -own, "mi": total + own, "epkl": epkl,
        "var_aleatoric": math.fsum(p * (1 - p) for row in rows for p in row) / m,
        "var_epistemic": math.fsum((p - q) ** 2 for row in rows for p, q in zip(row, mean)) / m,
        "zo_total": 1 - max(mean),
    }
    if m > 1:
        out["mi_corrected"] = out["mi"] * m / (m - 1)
        out["epkl_corrected"] = epkl * m / (m - 1)
    return out


def variance(values):
    mean = math.fsum(values) / len(values)
    return math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)


def definition(record, scaled):
    """The figures that a record determines, by the first form in it."""
    of = record.get("members")
    samples = record.get("samples")
    probs = record.get("prediction", {}).get("probs")
    if of and "probs" in of:
        return members(of["probs"], scaled)
    if of:
        out = {"var_epistemic": variance(of["mu"])}
        if "var" in of:
            out["var_aleatoric"] = math.fsum(of["var"]) / len(of["var"])
        return out
    if record.get("dirichlet"):
        return {}
    if samples and isinstance(samples[0], list):
        means = [math.fsum(row) / len(row) for row in samples]
        within = math.fsum(variance(row) for row in samples) / len(samples)
        return {"var_aleatoric": within,
                "var_epistemic": max(0, variance(means) - within / len(samples[0]))}
    if samples:
        return {"var_total": variance(samples)}
    if probs:
        one = members([probs], scaled)
        return {"total": one["total"], "zo_total": one["zo_total"]}
    return {}


def auroc(positive, negative):
    """Mann and Whitney, ties count a half."""
    ordered = sorted([(v, 1) for v in positive] + [(v, 0) for v in negative])
    rank_sum, at = 0.0, 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        rank_sum += (at + end + 1) / 2 * sum(p for _, p in ordered[at:end])
        at = end
    p, n = len(positive), len(negative)
    return (rank_sum - p * (p + 1) / 2) / (p * n)


def top(record):
    """Index of the largest probability, or the class it stands for."""
    probs = record["prediction"]["probs"]
    at = max(range(len(probs)), key=lambda k: probs[k])
    classes = record["prediction"].get("classes")
    return str(classes[at] if classes else at)


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def that(self, good, text):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            if self.failed <= SHOWN:
                print(f"FAILED {text}")


def check_means(checks, title, rows, raw, means):
    for name, want in means.items():
        column = FIGURES.get(name)
        if column is None or not all(row[column] for row in rows):
            continue
        got = math.fsum(float(row[column]) for row in rows) / len(rows)
        if all(column in r for r in raw):  # of probabilities as they were emitted
            as_emitted = math.fsum(r[column] for r in raw) / len(raw)
            checks.that(close(as_emitted, want), f"{title}: {name} as emitted {as_emitted!r}, truth {want!r}")
            continue
        checks.that(close(got, want), f"{title}: {name} {got!r}, truth {want!r}")


def check_areas(checks, title, areas, rows, positive, negative):
    for name, want in areas.items():
        column = RANKED.get(name)
        if column is None or not all(rows[i][column] for i in positive + negative):
            continue
        got = auroc([float(rows[i][column]) for i in positive], [float(rows[i][column]) for i in negative])
        checks.that(abs(got - want) <= 1e-4, f"{title}: area of {name} {got:.6f}, truth {want:.6f}")


def check_streams(checks, model, db, at, rows):
    """Means over the whole replay against those of the filter."""
    for stream, n, mean in db.execute(
            "SELECT substr(stream, 13), n, mean FROM statistics_total WHERE model = ? AND stream LIKE"
            " 'uncertainty:%'", (model,)):
        values = [float(rows[i][stream]) for i in at if rows[i][stream]]
        good = n == len(values) and close(mean, math.fsum(values) / len(values))
        checks.that(good, f"{model}: stream {stream} has n {n}, mean {mean!r}")


def check_replay(checks, binary, folder, file, models, records, rows):
    name = file[:-len(".jsonl.gz")]
    with tempfile.TemporaryDirectory() as scratch:
        config, database = os.path.join(scratch, "c.yaml"), os.path.join(scratch, "r.db")
        with open(config, "w", encoding="utf-8") as out:
            out.write("models: auto\n")
        run = subprocess.run([binary, "replay", config, os.path.join(folder, file),
                              os.path.join(folder, name + ".labels.jsonl.gz"), "-o", database],
                             capture_output=True, text=True, timeout=300)
        checks.that(run.returncode == 0, f"{file}: replay: {run.stderr[-300:]}")
        if run.returncode:
            return
        db = sqlite3.connect(database)
        for model, truth in models.items():
            at = [i for i, r in enumerate(records) if r["model"] == model and "probe_of" not in r]
            check_streams(checks, model, db, at, rows)
            if "conformal" in truth:
                got = db.execute("SELECT coverage FROM performance_total WHERE model = ?", (model,)).fetchone()
                want = truth["conformal"]["coverage"]["all"]
                checks.that(got and close(got[0], want), f"{model}: coverage {got}, truth {want}")
            for probe in truth.get("probes", []):
                got = db.execute("SELECT pairs, flips, labelled, clean_accuracy, robust_accuracy, lost_share FROM"
                                 " robustness_total WHERE model = ? AND perturbation = ?",
                                 (model, f"{probe['perturbation']}/{probe['severity']}")).fetchone()
                want = [probe[k] for k in ("pairs", "flips", "labelled", "clean_accuracy", "perturbed_accuracy",
                                           "flip_rate_among_clean_correct")]
                checks.that(got and all(close(g, w) for g, w in zip(got, want)), f"{model}: {got} of {probe}")
        db.close()


def check_file(checks, binary, folder, file, models, flags):
    path = os.path.join(folder, file)
    name = file[:-len(".jsonl.gz")]
    records = lines(path)
    labels = {r["id"]: str(r["label"]) for r in lines(os.path.join(folder, name + ".labels.jsonl.gz"))}
    run = subprocess.run([binary, "uncertainty", path], capture_output=True, text=True, timeout=120)
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    checks.that(run.returncode == 0 and len(rows) == len(records), f"{file}: {run.stderr[:200]}")
    worst = 0.0
    for record, row in zip(records, rows):
        for column, want in definition(record, True).items():
            good = row[column] != "" and close(float(row[column]), want)
            if not good:
                checks.that(False, f"{record['id']}: {column} {row[column]} by definition {want!r}")
            worst = max(worst, abs(float(row[column] or 0) - want))
    checks.that(True, "")
    for model, truth in models.items():
        at = [i for i, r in enumerate(records) if r["model"] == model]
        ood = [i for i in at if flags[name, records[i]["id"]]]
        groups = {"all": at, "shifted_or_ood": ood, "in_distribution": [i for i in at if i not in set(ood)]}
        for group, means in truth.get("means", {}).items():
            check_means(checks, f"{model} {group}", [rows[i] for i in groups[group]],
                        [definition(records[i], False) for i in groups[group]], means)
        if "auroc_ood" in truth:
            check_areas(checks, f"{model} ood", truth["auroc_ood"], rows, ood, groups["in_distribution"])
        if "auroc_error" in truth:
            known = [i for i in groups["in_distribution"] if records[i]["id"] in labels]
            wrong = [i for i in known if top(records[i]) != labels[records[i]["id"]]]
            right = [i for i in known if top(records[i]) == labels[records[i]["id"]]]
            checks.that(len(wrong) == truth["errors_in_distribution"], f"{model}: {len(wrong)} errors")
            check_areas(checks, f"{model} errors", truth["auroc_error"], rows, wrong, right)
    check_replay(checks, binary, folder, file, models, records, rows)
    print(f"{file:24} {len(records):6} records, largest difference from a definition {worst:.1e}")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    binary = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, "..", "data", "producers")
    with open(os.path.join(folder, "truth.json"), encoding="utf-8") as file:
        truth = json.load(file)
    flags = {(r["file"], r["id"]): r["ood"] for r in lines(os.path.join(folder, "flags.jsonl.gz"))}
    checks = Checks()
    for file, content in truth["files"].items():
        check_file(checks, binary, folder, file, content["models"], flags)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
