#!/bin/sh
# manual.sh -- the manual pages, written from what the program says of itself.
#
#   docs/manual.sh DRIFTD FOLDER      driftd.1, driftd.conf.5 and driftd-sql.5 in FOLDER
set -eu
driftd=$1 out=$2
version=$("$driftd" --version | cut -d' ' -f2)
mkdir -p "$out"

head() { # head NAME SECTION SENTENCE
	printf '.TH "%s" "%s" "%s" "driftd %s" "driftd"\n.SH NAME\n%s \\- %s\n' "$1" "$2" "$date" "$version" \
		"$(echo "$1" | tr '[:upper:]' '[:lower:]')" "$3"
}
# Text as it stands: backslashes, and the dots and quotes that would begin a request.
plain() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; }
date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y "$(dirname "$0")/../CHANGELOG.md")}" +%Y-%m-%d)
verbatim() { # verbatim COMMAND...
	printf '.nf\n'
	"$@" | plain
	printf '.fi\n'
}

{
	head DRIFTD 1 'watches models in production: Kafka in, SQLite out'
	printf '.SH SYNOPSIS\n.B driftd\n.I command\n.RI [ argument ]...\n.SH DESCRIPTION\n'
	printf 'driftd reads predictions, features and delayed labels from Kafka and tells, within a stated budget of false\n'
	printf 'alarms, when inputs, outputs, coverage or errors changed. Everything is in one SQLite database.\n'
	verbatim "$driftd" --help
	printf '.SH COMMANDS\n'
	for command in $("$driftd" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		printf '.SS %s\n' "$command"
		verbatim "$driftd" "$command" --help
	done
	printf '.SH ENVIRONMENT\n.TP\n.B NO_COLOR\nNo emphasis on a terminal.\n.TP\n.B CREDENTIALS_DIRECTORY\n'
	printf 'Where systemd puts credentials; *_file keys without a slash look there first.\n'
	printf '.TP\n.B NOTIFY_SOCKET, WATCHDOG_USEC\nSet by systemd, see sd_notify(3).\n'
	printf '.SH SEE ALSO\n.BR driftd.conf (5),\n.BR driftd\\-sql (5),\n.BR sqlite3 (1)\n'
} > "$out/driftd.1"
{
	head DRIFTD.CONF 5 'configuration of driftd(1)'
	printf '.SH DESCRIPTION\nYAML. Every key may be left out; an unknown key, a wrong unit or a value out of range is an error\n'
	printf 'that says where it stands. All keys with their meaning, range and default:\n'
	verbatim "$driftd" explain
	printf '.SH SINKS\nEntries of\n.B alerts.sinks\nare one of these:\n'
	verbatim "$driftd" explain alerts.sinks
	printf '.SH SEE ALSO\n.BR driftd (1)\n'
} > "$out/driftd.conf.5"
{
	head DRIFTD-SQL 5 'tables and views of a database of driftd(1)'
	printf '.SH DESCRIPTION\nColumns *_ms are epoch milliseconds UTC; times in views are ISO text. Views first, then tables.\n'
	printf 'Reading with sqlite3(1) never blocks the daemon.\n'
	verbatim "$driftd" explain --sql
	printf '.SH SEE ALSO\n.BR driftd (1),\n.BR sqlite3 (1)\n'
} > "$out/driftd-sql.5"
