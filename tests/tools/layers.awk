# layers.awk -- a folder may include only itself and folders to its left; detectors are pure.
BEGIN { split("config detectors storage monitor tests", f); for (i in f) rank[f[i]] = i }
match($0, /^#include "[a-z]+\//) {
	to = substr($0, RSTART + 10, RLENGTH - 11); split(FILENAME, p, "/")
	if (!(to in rank) || rank[to] > rank[p[1]]) {
		print FILENAME ":" FNR ": " p[1] " may not include " to; bad = 1
	}
	if (p[1] == "detectors" && to == "config" && $0 !~ /config\/(option|diag|method)\.h/) {
		print FILENAME ":" FNR ": detectors see only option.h, diag.h and method.h of config"; bad = 1
	}
}
/^#include <(stdio|time|unistd|pthread|sqlite3|librdkafka|fcntl|sys)/ && FILENAME ~ /^detectors\// {
	print FILENAME ":" FNR ": detectors are pure: " $2; bad = 1
}
/(^|[^a-z_])(sprintf|strcpy|strcat|gets|rand|srand|atoi|atof|setlocale)\(/ && FILENAME !~ /^tests\// {
	print FILENAME ":" FNR ": banned call"; bad = 1
}
length($0) > 110 { print FILENAME ":" FNR ": longer than 110 columns"; bad = 1 }
END { exit bad }
