#!/bin/bash
# source.sh -- the Kafka source against a real broker: resuming, expired records, topics made anew, new
# partitions, a broker that is killed. Usage: tests/kafka/source.sh [BIN], where BIN holds kafka_admin and
# kafka_tail (default build/release). Prints "N passed, N failed" and exits with 1 if any failed.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${1:-$root/build/release}
work=$(mktemp -d)
passed=0 failed=0
# (without the pipe of kafka_tail, which the broker would hold open)
broker() { "$root/tests/kafka/broker.sh" "$1" "$work/broker" 9>&-; }
tail_pid=
trap 'broker kill; [ -z "$tail_pid" ] || kill "$tail_pid" 2> /dev/null; rm -rf "$work"' EXIT
address=$(broker start) || exit 1

admin() { "$bin/kafka_admin" "$address" "$@"; }
tail_once() { timeout 30 "$bin/kafka_tail" "$address" "$1" "$work/$1.state"; }
# lines FROM TO: one message a line
lines() { seq -f '{"ts":%.0f}' "$1" "$2"; }
produce() { kcat -q -P -b "$address" -t "$1" -p "$2"; } # TOPIC PARTITION < lines
check() { # NAME EXPECTED GOT: GOT must hold the line EXPECTED (a pattern)
	if grep -Eqx -- "$2" <<< "$3"; then
		passed=$((passed + 1)); echo "ok   $1"
	else
		failed=$((failed + 1)); printf 'FAIL %s\n  wanted: %s\n  got:\n%s\n' "$1" "$2" "$3"
	fi
}
none() { # NAME PATTERN GOT: no line of GOT matches
	if grep -Eq -- "$2" <<< "$3"; then
		failed=$((failed + 1)); printf 'FAIL %s\n  got:\n%s\n' "$1" "$3"
	else
		passed=$((passed + 1)); echo "ok   $1"
	fi
}

# resume
admin create ta 1
lines 1 1000 | produce ta 0
got=$(tail_once ta)
check first_run_reads_from_the_beginning 'read ta/0 1000 0 999 .*' "$got"
lines 1001 1500 | produce ta 0
got=$(tail_once ta)
check resume_is_exact 'read ta/0 500 1000 1499 .* 0' "$got"
none resume_has_no_gap '^gap' "$got"
got=$(tail_once ta)
check nothing_new_is_an_end 'read ta/0 0 -1 -1 .*' "$got"

# retention
lines 1501 2000 | produce ta 0
admin truncate ta 0 1700
got=$(tail_once ta)
check expired_records_are_a_gap 'gap ta/0 1500 1700 retention' "$got"
check reading_goes_on_behind_them 'read ta/0 300 1700 1999 .* 0' "$got"

# recreated: shorter, then longer than before
admin delete ta
sleep 2
until admin create ta 1 2> /dev/null; do sleep 0.2; done
lines 1 100 | produce ta 0
got=$(tail_once ta)
check a_shorter_new_topic_is_another_one 'gap ta/0 2000 0 recreated' "$got"
check it_is_read_from_its_beginning 'read ta/0 100 0 99 .* 1' "$got"
admin delete ta
sleep 2
until admin create ta 1 2> /dev/null; do sleep 0.2; done
lines 5000 5999 | produce ta 0
got=$(tail_once ta)
check a_longer_new_topic_is_another_one 'gap ta/0 100 0 recreated' "$got"
check it_too_is_read_from_its_beginning 'read ta/0 1000 0 999 .* 2' "$got"

# while it runs: expired records, new partitions, a new topic in the place of an old one
start_follow() { # TOPIC
	mkfifo "$work/hold"
	"$bin/kafka_tail" "$address" "$1" "$work/$1.state" follow < "$work/hold" > "$work/out" 2>&1 &
	tail_pid=$!
	exec 9> "$work/hold"
}
await() { # PATTERN: a line of the output, within a minute
	for _ in $(seq 600); do
		grep -Eq -- "$1" "$work/out" && return
		sleep 0.1
	done
	echo "no line $1" >> "$work/out"
}
end_follow() { # sets got; not in a subshell, which could neither close the pipe nor wait
	exec 9>&-
	wait "$tail_pid"
	rm "$work/hold"
	got=$(cat "$work/out")
}
admin create tb 1
lines 1 1000 | produce tb 0
start_follow tb
await '^new tb/0'
admin grow tb 3
await '^new tb/2 0'
lines 1 50 | produce tb 2
await '^end tb/0 1000$'
await '^end tb/2 50$'
end_follow
check added_partitions_are_read_from_their_beginning 'read tb/2 50 0 49 .*' "$got"
check the_others_go_on 'read tb/0 1000 0 999 .*' "$got"

start_follow tb
await '^end tb/0 1000$'
admin delete tb
sleep 3
until admin create tb 3 2> /dev/null; do sleep 0.2; done
lines 7000 9999 | produce tb 0
await '^gap tb/0'
await '^end tb/0 3000$'
end_follow
check a_topic_made_anew_meanwhile_is_noticed 'gap tb/0 1000 0 recreated' "$got"
check and_read_from_its_beginning 'read tb/0 3000 0 2999 .* 1' "$got"

# a crash of the broker while it is read
admin create tc 2
lines 1 200000 | produce tc 0
lines 1 200000 | produce tc 1
start_follow tc
await '^new tc/1'
broker kill
await '^error'
broker start > /dev/null
lines 200001 300000 | produce tc 1
await '^end tc/0 200000$'
await '^end tc/1 300000$'
end_follow
none a_broker_crash_loses_nothing '^gap' "$got"
check partition_0_is_complete 'read tc/0 200000 0 199999 .* 0' "$got"
check partition_1_is_complete 'read tc/1 300000 0 299999 .* 0' "$got"
rm "$work/tc.state"
again=$(tail_once tc)
check the_same_bytes_as_without_a_crash "$(grep '^read tc/1' <<< "$got")" "$again"
for _ in $(seq 100); do # the client publishes them behind our back
	committed=$(admin committed driftd tc 1)
	[ "${committed:-0}" -gt 0 ] 2> /dev/null && break
	sleep 0.1
done
check offsets_are_published '[1-9][0-9]*' "$committed"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
