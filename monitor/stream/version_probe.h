/* version_probe.h -- perturbed twins of predictions: how often the class flips, by perturbation and severity.
 *
 * A producer that sends `probe_of` with the id of a clean record, `perturbation` and `severity` gets a binary
 * stream probe:PERTURBATION/SEVERITY of its version, judged like any rate against that of the reference. The
 * clean class comes from the journal of labels, which is bounded; a twin whose prediction is not there (it
 * came too early or too late, or `labels: off`) is counted, never guessed. Once the prediction has its
 * label the twin is right or wrong, too: stream probe_error:PERTURBATION/SEVERITY (label/probes.h).
 */
#ifndef MONITOR_STREAM_VERSION_PROBE_H
#define MONITOR_STREAM_VERSION_PROBE_H

struct model;
struct record;
struct row_facts;
struct rows;
struct stream;
struct version;

/* A record with RECORD_PROBE: into the rows of its version. */
void version_probe_take(struct model *m, const struct record *r, struct row_facts *f);
/* The rows of a version's twins, made when they are first asked for. */
struct rows *version_probes(struct version *v);
/* A stream of theirs was made, or is there again. */
void version_probe_bind(struct version *v, struct stream *s);

#endif
