#!/usr/bin/env python3
"""Runs the golden vectors of tests/vectors through a driftd binary.

    run_vectors.py BINARY [--kinds detect,distance,...] [--kind KIND] [--only NAME] [--vectors DIR]

One statistic is the same within a relative 1e-9 (absolute 1e-12), p-values of distance and metric within
1e-6; a case's `tolerance` widens named columns. The closing line is `N passed, N failed`; kinds of the
vectors that are asked for with --kinds but unknown here count as skipped.
"""
import argparse
import concurrent.futures
import csv
import glob
import io
import json
import math
import os
import subprocess
import sys
import tempfile

KNOWN = ("detect", "distance", "metric", "score", "uncertainty")
RELATIVE, ABSOLUTE, P_RELATIVE = 1e-9, 1e-12, 1e-6
P_COLUMNS = {"p_value", "tail"}
TIMEOUT_S = 300


def line(value):
    """One line of input, as tests/vectors/README.md writes them."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return b",".join(line(v) for v in value)
    if isinstance(value, dict):
        return json.dumps(value).encode()
    return repr(value).encode() if isinstance(value, int) else b"%.17g" % value


def lines(values):
    return b"".join(line(v) + b"\n" for v in values)


def close(got, want, relative):
    if want is None or got == "":
        return want is None and got == ""
    try:
        got = float(got)
    except ValueError:
        return False
    if math.isinf(want) or math.isnan(want):
        return got == want or (math.isnan(got) and math.isnan(want))
    return abs(got - want) <= max(ABSOLUTE, relative * max(abs(got), abs(want)))


def tolerance(case, column):
    wider = case.get("tolerance")
    if isinstance(wider, dict):
        wider = wider.get(column)
    relative = P_RELATIVE if column in P_COLUMNS else RELATIVE
    return max(relative, wider) if wider else relative


def run(binary, case, folder):
    args = [binary, case["kind"]]
    if case["kind"] == "distance":
        args += ["--kind", case["method"]]
    elif case["kind"] != "uncertainty":
        args.append(case["method"])
    for name, value in (case.get("params") or {}).items():
        args += ["-p", f"{name}={value}"]
    if case.get("reference") is not None:
        path = os.path.join(folder, "reference")
        with open(path, "wb") as out:
            out.write(lines(case["reference"]))
        args += ["--reference", path]
    if case["kind"] == "detect" and case.get("seed") is not None:
        args += ["--seed", str(case["seed"])]
    done = subprocess.run(args, input=lines(case["input"]), capture_output=True, timeout=TIMEOUT_S)
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


def compare_detect(case, rows):
    expect, wrong = case["expect"], []
    columns = [c for c in ("statistic", "lower", "upper") if c in expect]
    by_line = {row["n"]: row for row in rows}
    alarms = [int(row["n"]) for row in rows if row["alarm"] == "1"]
    if len(rows) != len(case["input"]):
        wrong.append(f"{len(rows)} lines instead of {len(case['input'])}")
    if alarms != expect["alarms"]:
        first = next((a for a, b in zip(alarms + [None], expect["alarms"] + [None]) if a != b), None)
        wrong.append(f"alarms {alarms[:12]} instead of {expect['alarms'][:12]} (first other: {first})")
    for column in columns:
        for number, want in expect[column].items():
            got = by_line.get(number, {}).get(column)
            if got is None or not close(got, want, tolerance(case, column)):
                wrong.append(f"line {number}: {column} {got} instead of {want}")
                break
    return wrong


def compare_distance(case, rows):
    got = {row["metric"]: row for row in rows}
    wrong = [f"unexpected {name}" for name in got if name not in case["expect"]]
    for name, (value, p_value) in case["expect"].items():
        if name not in got:
            wrong.append(f"no {name}")
            continue
        if not close(got[name]["value"], value, tolerance(case, name)):
            wrong.append(f"{name} {got[name]['value']} instead of {value}")
        if not close(got[name]["p_value"], p_value, tolerance(case, "p_value")):
            wrong.append(f"p-value of {name} {got[name]['p_value']} instead of {p_value}")
    return wrong


def compare_metric(case, rows):
    got = {row["metric"]: row["value"] for row in rows}
    expect = {k: v for k, v in case["expect"].items() if k != "exit"}
    wrong = [f"unexpected {name}" for name in got if name not in expect]
    for name, value in expect.items():
        if name not in got:
            wrong.append(f"no {name}")
        elif not close(got[name], value, tolerance(case, name)):
            wrong.append(f"{name} {got[name]} instead of {value}")
    return wrong


def compare_rows(case, rows):
    """One object a record, in order; `expect` is then a list."""
    wrong = []
    if len(rows) != len(case["expect"]):
        wrong.append(f"{len(rows)} lines instead of {len(case['expect'])}")
    for number, (row, expect) in enumerate(zip(rows, case["expect"]), 1):
        for column, want in expect.items():
            if column not in row or not close(row[column], want, tolerance(case, column)):
                wrong.append(f"line {number}: {column} {row.get(column)} instead of {want}")
    return wrong


def check(binary, case):
    with tempfile.TemporaryDirectory() as folder:
        status, out, err = run(binary, case, folder)
    exit_wanted = case["expect"].get("exit", 0) if isinstance(case["expect"], dict) else 0
    if not isinstance(exit_wanted, int):
        exit_wanted = 0
    wrong = []
    if status != exit_wanted:
        wrong.append(f"exit status {status} instead of {exit_wanted}: {err.strip()[-600:]}")
    if status in (0, 2) and (out or not wrong):
        compare = {"detect": compare_detect, "distance": compare_distance, "metric": compare_metric,
                   "score": compare_rows, "uncertainty": compare_rows}
        try:
            wrong += compare[case["kind"]](case, list(csv.DictReader(io.StringIO(out))))
        except (KeyError, TypeError, ValueError) as problem:
            wrong.append(f"output cannot be read: {problem!r}: {out[:200]!r}")
    return wrong


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="golden vectors through a driftd binary")
    parser.add_argument("binary")
    parser.add_argument("--kinds", default=",".join(KNOWN))
    parser.add_argument("--kind", help="one of the kinds")
    parser.add_argument("--only", help="part of the file name, method or case name")
    parser.add_argument("--vectors", default=os.path.join(here, "..", "vectors"))
    asked = parser.parse_args()
    kinds = [asked.kind] if asked.kind else asked.kinds.split(",")
    cases, skipped = [], 0
    for path in sorted(glob.glob(os.path.join(asked.vectors, "*.json"))):
        name = os.path.basename(path)[:-len(".json")]
        with open(path, encoding="utf-8") as file:
            for case in json.load(file)["cases"]:
                title = f"{name}: {case['name']}"
                if case["kind"] not in kinds or (asked.only and asked.only not in title):
                    continue
                if case["kind"] not in KNOWN:
                    skipped += 1
                else:
                    cases.append((title, case))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda c: check(asked.binary, c[1]), cases))
    failed = 0
    for (title, _), wrong in zip(cases, results):
        if wrong:
            failed += 1
            print(f"FAILED {title}")
            for text in wrong:
                print(f"    {text}")
    if skipped:
        print(f"{skipped} skipped")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
