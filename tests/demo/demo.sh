#!/bin/sh
# demo.sh -- two years of a bicycle rental's hourly predictions through the running daemon, in some seconds.
#
#   sh tests/demo/demo.sh [BIN]      BIN holds driftd and demo_producer (default build/release)
#
# Starts `driftd run` with a broker inside the process and a fresh database, lets a producer play the records
# and their labels, follows it with the sqlite3 command, stops it and asks what it found. Everything is left
# in build/demo. DEMO_DAYS_PER_SECOND (default 60) is the speed.
set -eu
cd "$(dirname "$0")/../.."
bin=${1:-build/release}
out=build/demo
db=$out/demo.db
records=tests/data/bike/stream.jsonl.gz
labels=tests/data/bike/labels.jsonl.gz
daemon='' producer=''

die() {
	[ -t 1 ] && [ -n "$bar_open" ] && echo
	echo "demo: $*" >&2
	exit 1
}
bar_open=''

cleanup() {
	for pid in $producer $daemon; do
		kill "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || :
	done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

command -v sqlite3 > /dev/null || die "the sqlite3 command is missing: sh tests/setup installs it"
for f in "$bin/driftd" "$bin/demo_producer"; do
	[ -x "$f" ] || die "$f is missing: make demo builds it"
done
mkdir -p "$out"
# Whoever holds this file, the daemon of a demo that was killed included, still writes the database.
exec 9>> "$out/demo.lock"
if ! flock -n 9; then
	pid=$(cat "$db.lock" 2> /dev/null || :)
	die "another demo is running in $out${pid:+ (its daemon is process $pid: kill $pid)}"
fi
rm -f "$db" "$db-wal" "$db-shm" "$db.lock" "$out/bootstrap" "$out/log"

# ask SQL: the answer, as any reader gets it while the daemon writes
ask() { sqlite3 -readonly -cmd '.timeout 5000' "$db" "$1"; }

# show TITLE MODE SQL: the question, the SQL and the answer
show() {
	printf '\n-- %s\n' "$1"
	printf 'sqlite3 %s %s "\n%s"\n\n' "$2" "$db" "$3"
	# shellcheck disable=SC2086
	sqlite3 -readonly -cmd '.timeout 5000' $2 "$db" "$3"
}

echo "1. driftd run tests/demo/demo.yaml"
"$bin/driftd" run tests/demo/demo.yaml --bootstrap-file "$out/bootstrap" > "$out/log" 2>&1 &
daemon=$!
tries=0
until [ -s "$out/bootstrap" ]; do
	kill -0 $daemon 2> /dev/null || { daemon=''; tail -n 5 "$out/log" >&2; die "the daemon ended: see above"; }
	tries=$((tries + 1))
	[ $tries -lt 300 ] || die "the daemon did not start within 30 s; its log is $out/log"
	sleep 0.1
done
broker=$(cat "$out/bootstrap")
echo "   process $daemon, broker at $broker, database $db"

total=$(gzip -cd "$records" "$labels" | wc -l | tr -d ' ')
echo "2. a producer plays $total records and labels, 2011-01-01 to 2012-12-31, in order of event time"
"$bin/demo_producer" "$broker" "$db" "${DEMO_DAYS_PER_SECOND:-60}" "$records" inference.bike \
	"$labels" labels.bike 9>&- &
producer=$!

# One line of progress from the database: records, date, alerts that are open.
alerts=0 told=-1
progress() {
	line=$(ask "SELECT (SELECT total(next_offset) FROM lag), ifnull((SELECT substr(watermark, 1, 10)
		FROM budget), '-'), (SELECT count(*) FROM alerts_history)" | tr '|' ' ')
	# shellcheck disable=SC2086
	set -- $line
	percent=$((${1%.*} * 100 / total))
	if [ "${3:-0}" -gt "$alerts" ]; then
		[ -z "$bar_open" ] || printf '\r\033[K'
		ask "SELECT '   ! ' || substr(opened, 1, 10) || ' alert: ' || severity || ', ' || model || ' ' || kind
			|| ' changed' FROM alerts_history ORDER BY opened LIMIT -1 OFFSET $alerts"
		alerts=$3
	fi
	if [ -t 1 ]; then
		full=$(printf '%*s' $((percent * 30 / 100)) '' | tr ' ' '#')
		printf '\r   [%-30s] %3d %%  %s  alerts: %d \033[K' "$full" "$percent" "${2:-}" "$alerts"
		bar_open=1
	elif [ $((percent / 20)) -gt $told ]; then
		told=$((percent / 20))
		printf '   %3d %%  %s  alerts: %d\n' "$percent" "${2:-}" "$alerts"
	fi
}
while kill -0 $producer 2> /dev/null; do
	kill -0 $daemon 2> /dev/null || { tail -n 5 "$out/log" >&2; daemon=''; die "the daemon ended: see above"; }
	progress
	sleep 0.25
done
status=0
wait $producer || status=$?
producer=''
[ $status -eq 0 ] || { tail -n 5 "$out/log" >&2; die "the producer failed ($status)"; }
progress
[ -z "$bar_open" ] || echo
bar_open=''

echo "3. kill -TERM $daemon: commit and stop"
kill -TERM $daemon
status=0
wait $daemon || status=$?
daemon=''
[ $status -eq 0 ] || { tail -n 5 "$out/log" >&2; die "the daemon ended with status $status"; }

printf '\n-- What should somebody look at?\n%s alerts %s\n\n' "$bin/driftd" "$db"
"$bin/driftd" alerts "$db"
echo
ask 'SELECT text FROM alerts_open'

show 'What drifted? (statistic: share of the alarm threshold used; evidence raises no alert)' '-header -column' \
"SELECT stream, method, role, iif(statistic > 1000, '> 1000', round(statistic, 2)) AS statistic,
       round(effect, 2) AS effect, effect_unit AS unit, substr(since, 1, 10) AS since, promise, why
FROM drift_now WHERE statistic >= 1 ORDER BY role DESC, drift_now.statistic DESC"

show 'How did coverage go by month? (promised: 0.9)' '-header -column' \
"SELECT substr(day, 1, 7) AS month, sum(n) AS labels, round(sum(n * coverage) / sum(n), 3) AS coverage,
       printf('%.*c', round(40 * sum(n * coverage) / sum(n)), '#') AS bar
FROM coverage_daily GROUP BY month"

show 'What did the budget promise, and what was spent?' '-line' \
'SELECT promised, period_days, round(allowance, 2) AS allowance, round(spent, 2) AS spent, alarms,
       round(provisional, 2) AS provisional, round(void, 2) AS void, void_alarms FROM budget'

"$bin/driftd" report "$db" -o "$out/demo.html" --quiet > /dev/null
printf '\nThe same with plots, for a browser: %s\n' "$out/demo.html"
printf 'The database stays: sqlite3 %s; %s status %s\n' "$db" "$bin/driftd" "$db"
