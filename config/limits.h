/* limits.h -- every maximum of the program, with its reason. Memory is arithmetic on these. */
#ifndef CONFIG_LIMITS_H
#define CONFIG_LIMITS_H

enum {
	/* Rows of one batch: columns of 4096 doubles fill an L1/L2 cache line budget, and a batch is
	 * short enough that a signal is seen within milliseconds. */
	LIMIT_BATCH_ROWS = 4096,
	/* Records of a partition that the merge looks ahead (semantics: merge key). */
	LIMIT_LOOKAHEAD = 32,
	/* Names of models that one process tells apart; how many of them it watches: models_max. */
	LIMIT_MODELS = 1024,
	/* Features of one record; more is a broken producer (the record is rejected). */
	LIMIT_FEATURES = 4096,
	/* Nesting of one record; deeper is an attack. */
	LIMIT_DEPTH = 32,
	/* Distinct values kept of one categorical stream; later ones share one overflow code. */
	LIMIT_CATEGORIES = 1024,
	/* Classes of one model, and so probabilities of one record. */
	LIMIT_CLASSES = 1024,
	/* Numbers of an embedding, or of logits: a covariance of 4096 columns is 128 MB. */
	LIMIT_VECTOR = 4096,
	/* Numbers of one forecast kept for its label: quantiles, or a sample; a kilobyte a waiting prediction. */
	LIMIT_FORECAST = 128,
	/* Bytes of the rows of one reference of out-of-distribution scores, in memory while it is drawn
	 * and on disk. */
	LIMIT_OOD_BYTES = 64 * 1024 * 1024,
	/* Versions of one model that draw such a reference at the same time. */
	LIMIT_OOD_LEARNING = 16,
	/* Versions of one model that have one: beyond that the oldest is not scored any more. */
	LIMIT_OOD_VERSIONS = 32,
	/* Fewer rows than this make no reference of them: a fourth part ranks the verdict. */
	LIMIT_OOD_MIN = 200,
	/* Records that stand for a window, and the records of one window that false discoveries are
	 * controlled over. */
	LIMIT_OOD_EXTREMES = 100,
	LIMIT_OOD_DISCOVERY = 1000,
	/* Kinds of probes of one version: perturbations times severities. */
	LIMIT_PROBES = 64,
	/* Perturbed twins of one model that wait for labels, in memory: 1.3 megabytes when there are so many. */
	LIMIT_PROBES_WAITING = 65536,
	/* Numbers of all lists of one record: members times classes, samples, ...; two megabytes. */
	LIMIT_NUMBERS = 262144,
	/* Couples of versions of one model that are compared: 4 kilobytes each with all their figures. */
	LIMIT_COMPARISONS = 24,
	/* Versions, and segments, of one model. */
	LIMIT_GROUPS = 4096,
	/* Bytes of an id, a category, a class, a version, a segment; longer ones are cut for the
	 * database and told apart by their hash. */
	LIMIT_TEXT_BYTES = 256,
	/* Bytes of one record. */
	LIMIT_RECORD_BYTES = 4 * 1024 * 1024,
	/* Streams of one process. */
	LIMIT_STREAMS = 20000,
	/* Tests of one stream: ids of detectors are this times the stream's id, and the slot. */
	LIMIT_TESTS = 8,
	/* Own streams of one model; each is a column of its own. */
	LIMIT_OWN_STREAMS = 256,
	/* Lists of tests under `detectors:` of one model; each stream looks through all of them once. */
	LIMIT_TEST_LISTS = 256,
	/* With `privacy: {values: bin | hash}` the mean of fewer values is that of their cells. */
	LIMIT_PRIVACY_VALUES = 10,
	/* Rows of table `rejected`. */
	LIMIT_REJECTED_ROWS = 1000,
	/* Bytes of a rejected record that are kept. */
	LIMIT_REJECTED_BYTES = 512,
	/* Labels of equal time that are ordered by id together. */
	LIMIT_LABEL_RUN = 65536,
	/* Bytes of the name of a tenant. */
	LIMIT_TENANT_BYTES = 64,
	/* Rows of one message: a batch of requests. */
	LIMIT_ENVELOPE_ROWS = 65536,
	/* Rows of one journal blob. */
	LIMIT_JOURNAL_BLOB_ROWS = 65536,
	/* Features of the joint streams of a model: each direction has a weight for every one. */
	LIMIT_JOINT = 256,
	/* Below this many reference values a stream never alarms. */
	LIMIT_REFERENCE_MIN = 100,
	/* The same for a stream of a segment. */
	LIMIT_SEGMENT_MIN = 200,
	/* Values of one reference: 24 bytes each, kept as long as it is used. */
	LIMIT_REFERENCE_MAX = 10000000,
	/* Warm-up of evidence detectors, in usable values. */
	LIMIT_WARMUP = 1000,
	/* Features whose cell each waiting prediction may keep, a byte each. */
	LIMIT_EXPLAINED = 1000,
	/* Sinks of alerts; each has a thread. */
	LIMIT_SINKS = 16,
	/* Messages kept in table `outbox`; beyond it the oldest that wait are given up, counted. */
	LIMIT_OUTBOX_ROWS = 100000,
	/* Partitions of all topics together; each has a queue and a look-ahead. */
	LIMIT_PARTITIONS = 4096,
};

#endif
