#!/bin/bash
# broker.sh -- a real Apache Kafka broker (KRaft, one node) on loopback, for tests.
#
#   tests/kafka/broker.sh jars         download the jars once, into build/kafka/lib
#   tests/kafka/broker.sh start DIR    start, wait until it answers, print its address (host:port)
#   tests/kafka/broker.sh stop DIR     clean stop
#   tests/kafka/broker.sh kill DIR     kill -9, as a crash would
#   tests/kafka/broker.sh address DIR  print the address again
#
# DIR holds everything of one broker: data, configuration, broker.pid, broker.log. `start` on a DIR that was
# used before starts the same broker on the same ports with its data; remove DIR for a new one.
# Topics are made with build/MODE/kafka_admin. Needs Java 17, Maven and kcat.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${KAFKA_CACHE:-$root/build/kafka}

jars() {
	if [ ! -e "$cache/lib/.complete" ]; then
		mkdir -p "$cache/lib"
		# The pom is copied, so that Maven writes nothing into the source tree.
		cp "$root/tests/kafka/pom.xml" "$cache/pom.xml"
		(cd "$cache" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$cache/lib" \
			-DincludeScope=runtime) >&2
		touch "$cache/lib/.complete"
	fi
}

free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

configure() {
	local client controller
	client=$(free_port)
	controller=$(free_port)
	cat > "$dir/server.properties" <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller
		listeners=PLAINTEXT://127.0.0.1:$client,CONTROLLER://127.0.0.1:$controller
		advertised.listeners=PLAINTEXT://127.0.0.1:$client
		controller.listener.names=CONTROLLER
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
		log.dirs=$dir/data
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=1
		group.initial.rebalance.delay.ms=0
		auto.create.topics.enable=false
		num.network.threads=2
		num.io.threads=2
		log.cleaner.dedupe.buffer.size=2097152
		log.retention.check.interval.ms=1000
		file.delete.delay.ms=1000
	END
	cat > "$dir/log4j2.properties" <<-END
		appender.out.type = Console
		appender.out.name = out
		appender.out.layout.type = PatternLayout
		appender.out.layout.pattern = %d %p %c{1}: %m%n
		rootLogger.level = warn
		rootLogger.appenderRef.out.ref = out
		logger.raft.name = kafka.server.KafkaRaftServer
		logger.raft.level = info
	END
	java -Xmx128m -cp "$cache/lib/*" "-Dlog4j2.configurationFile=$dir/log4j2.properties" \
		kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk -c "$dir/server.properties" \
		> "$dir/format.log" 2>&1
}

address() {
	sed -n 's/^advertised.listeners=PLAINTEXT:\/\///p' "$dir/server.properties"
}

running() {
	[ -e "$dir/broker.pid" ] && kill -0 "$(cat "$dir/broker.pid")" 2>/dev/null
}

start() {
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	jars
	[ -d "$dir/data" ] || configure
	if ! running; then
		java -Xms256m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$cache/lib/*" \
			"-Dlog4j2.configurationFile=$dir/log4j2.properties" \
			kafka.Kafka "$dir/server.properties" >> "$dir/broker.log" 2>&1 < /dev/null &
		echo $! > "$dir/broker.pid"
	fi
	for _ in $(seq 600); do
		if kcat -b "$(address)" -L -m 1 > /dev/null 2>&1; then
			address
			return
		fi
		running || break
		sleep 0.1
	done
	echo "broker.sh: the broker does not start; the end of $dir/broker.log:" >&2
	tail -n 20 "$dir/broker.log" >&2
	exit 1
}

end() { # SIGNAL
	running || return 0
	kill "-$1" "$(cat "$dir/broker.pid")"
	for _ in $(seq 300); do
		running || break
		sleep 0.1
	done
	rm -f "$dir/broker.pid"
}

[ $# -eq 2 ] || { [ $# -eq 1 ] && [ "$1" = jars ]; } || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 64; }
dir=${2:-}
case $1 in
jars) jars ;;
start) start ;;
stop) end TERM ;;
kill) end KILL ;;
address) address ;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
