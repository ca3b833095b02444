#!/bin/bash
# run.sh -- the daemon against a real broker, as people use it: read with sqlite3 while it writes, told what to
# do, disturbed, stopped. Usage: tests/kafka/run.sh [BIN [daemon]] (default build/release), where BIN holds
# driftd, kafka_admin and kafka_tail. Runs source.sh first, unless only the daemon is asked for. Prints
# "N passed, N failed" and exits with 1 if any failed.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=$(cd "${1:-$root/build/release}" && pwd)
work=$(mktemp -d)
db=$work/driftd.db
passed=0 failed=0 daemon= producer=
broker() { "$root/tests/kafka/broker.sh" "$1" "$work/broker"; }
cleanup() {
	[ -z "$daemon" ] || kill -9 "$daemon" 2> /dev/null
	[ -z "$producer" ] || kill "$producer" 2> /dev/null
	broker kill
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

ok() { passed=$((passed + 1)); echo "ok   $1"; }
bad() { # NAME WHY
	failed=$((failed + 1)); printf 'FAIL %s\n%s\n' "$1" "$2" | cut -c1-400
}
same() { # NAME WANTED GOT
	if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "  wanted: $2
  got:    $3"; fi
}
sql() { sqlite3 "$db" "$1" 2>&1; }
# until_is SECONDS WANTED SQL: the answer becomes WANTED; prints the last answer
until_is() {
	local got= i
	for ((i = 0; i < $1 * 5; i++)); do
		got=$(sql "$3")
		[ "$got" = "$2" ] && break
		sleep 0.2
	done
	echo "$got"
}

if [ "${2:-}" != daemon ]; then
	echo "-- the source alone"
	out=$("$root/tests/kafka/source.sh" "$bin"); echo "$out"
	line=$(tail -n 1 <<< "$out")
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	else
		bad source_sh_ends_with_a_count "$line"
	fi
fi

echo "-- the daemon"
address=$(broker start) || exit 1
admin() { "$bin/kafka_admin" "$address" "$@"; }
produce() { kcat -q -P -b "$address" -t "$1" -p "$2"; } # TOPIC PARTITION < lines
admin create predictions 2
admin create labels 2
python3 "$root/tests/kill/world.py" "$root/tests/data" "$work" 7 4000 2
cat > "$work/driftd.yaml" <<-END
	database: driftd.db
	kafka: {brokers: $address, group: kafkatest}
	topics: {records: [predictions], labels: [labels]}
	id_hash_key: 000102030405060708090a0b0c0d0e0f
	alerts: {budget: 5 per day, send: all}
	windows: {width: 3h}
	defaults:
	  min_effect: 0.05
	  reference: {from: first, records: 500, span: 30d}
	  labels: {wait: 20d}
	models: [{name: bike}, {name: elec, classes: [DOWN, UP]}]
END
cd "$work" || exit 1
start() { # ARGUMENTS...
	"$bin/driftd" run driftd.yaml "$@" >> log 2>&1 &
	daemon=$!
}
stop() { # prints the exit status
	local status
	kill -TERM "$daemon"
	wait "$daemon"
	status=$?
	daemon=
	return $status
}
to_the_end() { # prints what the exit status was
	timeout 120 "$bin/driftd" run driftd.yaml --until-end >> log 2>&1
	echo $?
}
messages() { cat predictions.* labels.* | wc -l; }
read_messages='SELECT sum(next_offset) FROM offsets'

# Thirty slices of each partition, in order of event time.
feed() {
	local slice name n
	for slice in $(seq 0 29); do
		for name in predictions.0 labels.0 predictions.1 labels.1; do
			n=$(($(wc -l < $name) / 30 + 1))
			tail -n +$((slice * n + 1)) $name | head -n $n | produce "${name%.*}" "${name#*.}"
		done
		sleep 0.2
	done
}
feed &
producer=$!
start
until [ -s driftd.db ] && [ "$(sql "SELECT count(*) > 20 FROM sqlite_master")" = 1 ]; do sleep 0.1; done
views=$(sql "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
queries=0 refused=
while kill -0 "$producer" 2> /dev/null; do
	for view in $views; do
		queries=$((queries + 1))
		error=$(sqlite3 "$db" "SELECT * FROM $view" 2>&1 > /dev/null) || refused+="  $view: $error"$'\n'
		[ -z "$error" ] || refused+="  $view: $error"$'\n'
	done
done
wait "$producer"
producer=
same "every_view_answers_while_the_daemon_writes ($(wc -w <<< "$views") views, $queries queries)" '' "$refused"
same everything_produced_is_read "$(messages)" "$(until_is 60 "$(messages)" "$read_messages")"
same labels_are_joined 1 "$(sql "SELECT sum(n) > 7000 FROM counters WHERE name = 'matched_ids'")"
same there_are_alerts 1 "$(sql 'SELECT count(*) > 5 FROM alerts')"
same bad_records_are_kept 1 "$(sql 'SELECT count(*) > 10 FROM rejected')"
same no_gap 0 "$(sql 'SELECT count(*) FROM gaps')"
lag=$(until_is 10 0 'SELECT sum(lag) FROM lag')
same no_lag_is_left 0 "$lag"
next=$(sql "SELECT next_offset FROM offsets WHERE topic = 'predictions' AND partition = 0")
for _ in $(seq 40); do # they are published every few seconds
	group=$(admin committed kafkatest predictions 0)
	[ "$group" = "$next" ] && break
	sleep 0.25
done
same lag_tools_see_the_offsets "$next" "$group"

echo "-- commands to the running daemon"
open=$(sql "SELECT alert_id FROM alerts WHERE state = 'open' ORDER BY opened_ms LIMIT 1")
"$bin/driftd" ack driftd.db "$open" --note seen --wait > answer 2>&1
same ack_is_executed "0 acknowledged" "$? $(sql "SELECT state FROM alerts WHERE alert_id = '$open'")"
"$bin/driftd" resolve driftd.db "$open" --wait > answer 2>&1
same resolve_is_executed "0 resolved command" "$? $(sqlite3 -separator ' ' "$db" \
	"SELECT state, resolved_by FROM alerts WHERE alert_id = '$open'")"
"$bin/driftd" expect driftd.db elec --from 2011-01-01T00:00:00Z --to 2030-01-01T00:00:00Z --reason sale --wait \
	> answer 2>&1
same expect_is_executed "0 1" "$? $(sql "SELECT result LIKE 'done%' FROM commands WHERE command = 'expect'")"
"$bin/driftd" rebaseline driftd.db bike --wait > answer 2>&1
same rebaseline_is_executed "0 1" "$? $(sql "SELECT result LIKE 'done%' FROM commands WHERE command = 'rebaseline'")"
same every_command_is_done 0 "$(sql 'SELECT count(*) FROM commands WHERE finished_ms IS NULL')"

echo "-- a second instance"
timeout 20 "$bin/driftd" run driftd.yaml > second 2>&1
same a_second_instance_is_refused 75 $?
same and_says_who_has_the_database 1 "$(grep -c "$daemon" second)"

echo "-- a crash of the broker"
before=$(sql "$read_messages")
broker kill
sleep 2
same the_database_answers_without_a_broker "$before" "$(sql "$read_messages")"
broker start > /dev/null
last=$(sql "SELECT max(value) FROM meta WHERE key = 'watermark_ms'")
more() { # FROM TO: records of the future of the stream
	seq "$1" "$2" | awk -v t="$last" '{ printf "{\"id\":\"m%d\",\"ts\":%.0f,\"model\":\"bike\",\"features\":" \
		"{\"temp\":0.%d},\"prediction\":{\"value\":%d,\"lower\":0,\"upper\":300,\"level\":0.9}}\n", \
		$1, t + $1 * 60000, $1 % 90 + 10, $1 % 200 }'
}
more 1 500 | produce predictions 1
same reading_goes_on_after_it $((before + 500)) "$(until_is 60 $((before + 500)) "$read_messages")"
same without_a_gap 0 "$(sql 'SELECT count(*) FROM gaps')"

echo "-- added partitions"
admin grow predictions 3
more 501 800 | produce predictions 2
same an_added_partition_is_read_from_its_beginning 300 "$(until_is 60 300 \
	"SELECT next_offset FROM offsets WHERE topic = 'predictions' AND partition = 2")"
same it_is_no_gap 0 "$(sql 'SELECT count(*) FROM gaps')"

echo "-- the end"
stop
same sigterm_ends_with_0 0 $?
same the_database_is_sound ok "$(sql 'PRAGMA integrity_check')"
same it_says_so clean "$(sql "SELECT detail FROM runs WHERE event = 'stop' ORDER BY run_id DESC LIMIT 1")"
dump() { # what is a function of the records
	for table in $(sql "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN
			('runs', 'outbox', 'deliveries', 'commands', 'sqlite_sequence')"); do
		sqlite3 "$db" ".dump $table"
	done | cksum
}
before=$(dump)
same with_nothing_new_a_run_ends_at_once 0 "$(to_the_end)"
same and_changes_nothing "$before" "$(dump)"

echo "-- gaps"
next=$(sql "SELECT next_offset FROM offsets WHERE topic = 'predictions' AND partition = 1")
more 801 1000 | produce predictions 1
admin truncate predictions 1 $((next + 120))
same deleted_records_do_not_stop_it 0 "$(to_the_end)"
same they_are_a_gap "predictions 1 $next $((next + 120)) retention" "$(sqlite3 -separator ' ' "$db" \
	'SELECT topic, partition, from_offset, to_offset, reason FROM gaps')"
same they_are_an_alert "1 critical" "$(sqlite3 -separator ' ' "$db" \
	"SELECT count(*), max(severity) FROM alerts WHERE kind = 'gap'")"
same what_is_left_is_read $((next + 200)) "$(sql "SELECT next_offset FROM offsets WHERE topic = 'predictions'
	AND partition = 1")"
same the_gap_is_told_once "0 1" "$(to_the_end) $(sql 'SELECT count(*) FROM gaps')"
admin delete labels
sleep 2
until admin create labels 2 2> /dev/null; do sleep 0.2; done
seq 1001 1050 | awk -v t="$last" '{ printf "{\"id\":\"m%d\",\"ts\":%.0f,\"model\":\"bike\",\"label\":3}\n", \
	$1 - 900, t + $1 * 60000 }' | produce labels 0
same a_recreated_topic_does_not_stop_it 0 "$(to_the_end)"
same it_is_told 1 "$(sql "SELECT count(*) > 0 FROM gaps WHERE topic = 'labels' AND partition = 0
	AND reason = 'recreated'")"
same and_read_from_its_beginning 50 "$(sql "SELECT next_offset FROM offsets WHERE topic = 'labels'
	AND partition = 0")"
same still_sound ok "$(sql 'PRAGMA integrity_check')"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
