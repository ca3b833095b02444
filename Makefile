# driftd. `make` builds, `make test` tests, `make help` lists the rest.
.DELETE_ON_ERROR:
.SUFFIXES:

MODE   ?= release
BUILD  ?= build
B      := $(BUILD)/$(MODE)
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
DYGRAPHS ?= /usr/share/javascript/dygraphs
CC     ?= cc
CXX    ?= c++
PKGS   := rdkafka sqlite3 yaml-0.1 zlib libxxhash libcurl libcrypto libmicrohttpd
VERSION := 0.1.0

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wconversion -Wsign-conversion \
        -Wdouble-promotion -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef
WARN_C := -Wstrict-prototypes -Wmissing-prototypes
NUM  := -ffp-contract=off -fno-fast-math -fno-math-errno -fno-trapping-math
HARD := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
        $(if $(filter x86_64,$(shell uname -m)),-fcf-protection) -fPIE

C_release := -O2 -g $(HARD)
L_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack
C_asan    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
             -fsanitize=address,undefined,float-cast-overflow,float-divide-by-zero
L_asan    := $(C_asan)
C_fuzz    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=fuzzer-no-link,address,undefined
L_fuzz    := -fsanitize=fuzzer,address,undefined
C_broken  := $(C_release) -DDRIFTD_BROKEN_COMMIT
L_broken  := $(L_release)

PC_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PC_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
COMMON     = -D_DEFAULT_SOURCE -DDRIFTD_VERSION='"$(VERSION)"' -I. -DDRIFTD_DYGRAPHS='"$(DYGRAPHS)"' $(WARN) $(NUM) $(C_$(MODE)) $(PC_CFLAGS)
COMPILE    = $(CC) -std=c17 $(COMMON) $(WARN_C) $(CFLAGS)
COMPILEXX  = $(CXX) -std=c++17 -fno-exceptions -fno-rtti $(COMMON) $(CXXFLAGS)
LINK       = $(CXX) $(L_$(MODE)) $(LDFLAGS)
LIBS       = $(PC_LIBS) -lsimdjson -lm -pthread

ROOMS := config detectors storage monitor
SRC   := $(sort $(foreach r,$(ROOMS),$(wildcard $r/*.c $r/*/*.c)))
SRCXX := $(sort $(wildcard monitor/*/*.cc))
HEAD  := $(sort $(foreach r,$(ROOMS),$(wildcard $r/*.h $r/*/*.h)))
LIB   := $(patsubst %.c,$B/%.o,$(filter-out monitor/main.c,$(SRC))) $(patsubst %.cc,$B/%.o,$(SRCXX))
TEST  := $(patsubst %.c,$B/%.o,$(sort $(wildcard tests/*.c)))
TOOL  := $(patsubst tests/tools/%.c,$B/%,$(sort $(wildcard tests/tools/*.c)))

.PHONY: all tools lint deb install help clean FORCE demo
.PHONY: test test-asan test-vectors test-truth test-alerts test-explained test-performance test-crash test-delivery
.PHONY: test-reproduce test-http test-ops test-docs test-page test-kafka test-kill fuzz
.PHONY: bench bench-labels
all: $B/driftd  ## build the daemon: build/release/driftd

$B/driftd: $B/monitor/main.o $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ $(LIBS)
$B/driftd-tests: $(TEST) $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ -lcmocka $(LIBS)
$B/%: $B/tests/tools/%.o $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ $(LIBS)
tools: $(TOOL)
$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"; $(COMPILE) -MMD -MP -c -o $@ $<
$B/monitor/page/page.o: $(wildcard monitor/page/*.html monitor/page/*.css monitor/page/*.js)
$B/%.o: %.cc $B/flags
	@mkdir -p $(@D)
	@echo "  CXX   $<"; $(COMPILEXX) -MMD -MP -c -o $@ $<
$B/flags: FORCE   # a change of compiler or flags rebuilds; touching nothing does not
	@mkdir -p $(@D); echo '$(COMPILE) $(COMPILEXX) $(LINK)' | cmp -s - $@ || echo '$(COMPILE) $(COMPILEXX) $(LINK)' > $@
$B/bench_%: $B/tests/bench/bench_%.o $B/tests/bench/records.o $B/tests/bench/floor.o $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ $(LIBS)
$B/bench_honesty: $(patsubst %,$B/tests/bench/%.o,bench_honesty honesty_cell trial stream naive workers records) $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ $(LIBS)
$B/bench_ood_alarms: $B/tests/bench/bench_ood_alarms.o $B/tests/score_runs.o $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ $(LIBS)
$B/bench_delay: $(patsubst %,$B/tests/bench/%.o,bench_delay delay_group delay_tables trial stream workers records) $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ $(LIBS)
-include $(patsubst %.o,%.d,$(LIB) $(TEST) $B/monitor/main.o) $(wildcard $B/tests/bench/*.d)
.SECONDARY:

test: $B/driftd-tests $B/driftd tools  ## unit, vector, property and replay tests (T='name*' filters)
	@DRIFTD=$(abspath $B/driftd) $B/driftd-tests $(if $(T),'$(T)') 2>&1   # cmocka prints its closing line on stderr
	$(if $(T),,@$(MAKE) --no-print-directory test-vectors test-truth test-ood test-alerts test-explained \
		test-performance test-crash)
	$(if $(T),,@$(MAKE) --no-print-directory test-delivery test-http test-faults test-reproduce test-private)
test-asan:  ## the same under AddressSanitizer and UBSan
	$(MAKE) MODE=asan test

help:  ## this list
	@sed -n 's/^\([a-z][a-z_. -]*\):[^#]*##/\1:/p' $(firstword $(MAKEFILE_LIST))
clean:  ## remove build/
	rm -rf build

lint:  ## layers, sizes, purity of detectors/, no machine paths
	@awk -f tests/tools/layers.awk $(SRC) $(SRCXX) $(HEAD)
	@wc -l $(SRC) $(SRCXX) $(HEAD) | awk '$$2 != "total" && $$1 > 550 { print $$2 ": " $$1 " lines"; bad = 1 } END { exit bad }'
	@sh tests/tools/pure.sh $B
	@! grep -rnE '/work/|/root/' --include='*.[ch]' --include='*.cc' --include='*.sh' --include='*.py' --include=README.md --exclude-dir=build . \
		| grep -v 'tests/tools/.*DRIFTD_SHARED' | grep .
install: all  ## DESTDIR and PREFIX are honoured
	install -D -m 755 $B/driftd $(DESTDIR)$(PREFIX)/bin/driftd
	sh docs/manual.sh $B/driftd $B/man
	for m in driftd.1 driftd.conf.5 driftd-sql.5; do \
		install -D -m 644 $B/man/$$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$$m || exit; done
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@bindir@|$(PREFIX)/bin|' config/driftd.service > $(DESTDIR)$(UNITDIR)/driftd.service
	sed -e 's|@bindir@|$(PREFIX)/bin|' -e 's|/etc/driftd/driftd.yaml|/etc/driftd/%i.yaml|' \
		-e 's|^StateDirectory=driftd$$|StateDirectory=driftd/%i|' -e 's|^Description=driftd:|Description=driftd of %i:|' \
		config/driftd.service > $(DESTDIR)$(UNITDIR)/driftd@.service
	install -D -m 644 config/driftd.completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/driftd
	install -D -m 644 config/driftd.rules.yaml $(DESTDIR)$(PREFIX)/share/doc/driftd/driftd.rules.yaml
	install -D -m 644 config/driftd.example.yaml $(DESTDIR)$(PREFIX)/share/doc/driftd/driftd.example.yaml
test-vectors: $B/driftd  ## every golden vector through the filters of the command line
	python3 tests/tools/run_vectors.py $B/driftd --vectors tests/vectors
test-truth: $B/driftd  ## replays of tests/data against the figures in its truth.json
	python3 tests/tools/check_truth.py $B/driftd tests/data
	python3 tests/tools/check_uncertainty.py $B/driftd tests/data/producers
.PHONY: bench-ood bench-ood-alarms
bench-ood-alarms: $B/bench_ood_alarms  ## e1 and e2 on streams of scores: false alarms in RUNS=300 runs, delays
	@$B/bench_ood_alarms $(RUNS)
bench-ood: PYTHON ?= python3
bench-ood: $B/bench_ood  ## microseconds a record of the out-of-distribution scores; LARGE=1, PYTHON=
	@$B/bench_ood $(LARGE); status=$$?; $(PYTHON) tests/bench/peer_ood.py; exit $$status
.PHONY: bench-verdicts
bench-verdicts: $B/bench_verdicts $B/driftd  ## ms from a record to its verdict over a broker (RATE= SECONDS= DIMENSION=)
	@$B/bench_verdicts $B/driftd $(or $(RATE),5000) $(or $(SECONDS),20) $(or $(DIMENSION),64)
.PHONY: test-ood
test-ood: $B/driftd  ## AUROC and FPR95 of the out-of-distribution scores (more sets with DRIFTD_SHARED)
	python3 tests/tools/check_ood.py $B/driftd tests/data
	python3 tests/tools/check_ood_stream.py $B/driftd tests/data
.PHONY: test-verdicts
test-verdicts: $B/driftd  ## planted changes of one kind of uncertainty: what the verdicts say (SEEDS=10 a case)
	python3 tests/tools/check_verdicts.py $B/driftd $(or $(SEEDS),10) $(FIRST)
.PHONY: test-producers
test-producers: $B/driftd tools  ## PyMC, TensorFlow Probability, MAPIE, conformalpy, scikit-learn send to the daemon (1 GB from PyPI)
	sh tests/setup producers
	python3 tests/producers/run.py $B build/producers $B/producers $(ONLY)
test-alerts: $B/driftd  ## no alert where nothing changes; one for each planted change
	python3 tests/tools/check_alerts.py $B/driftd tests/data
test-explained: $B/driftd  ## alerts of coverage and error name the features that a regression tree splits first
	python3 tests/tools/check_explained.py $B/driftd tests/data
.PHONY: bench-coverage
bench-coverage: $B/driftd $B/bench_honesty $B/bench_delay  ## coverage: labels in disorder, groups, runs of misses, delays (SHORT=1)
	@python3 tests/tools/check_coverage.py $B/driftd tests/data --runs $(if $(SHORT),2,20)
	@$B/bench_honesty $(if $(SHORT),--short) --only misses
	@$B/bench_delay --short --only 'a stated rate'
test-performance: $B/driftd  ## figures of labels, day by day, against their definitions
	python3 tests/tools/check_performance.py $B/driftd tests/data
test-delivery: $B/driftd  ## alerts at receivers that are slow, refuse, redirect or disappear: every one arrives
	python3 tests/tools/check_delivery.py $B/driftd
test-reproduce: $B/driftd  ## an alert read again, from files and from topics, is the same to the last bit
	python3 tests/tools/check_reproduce.py $B/driftd
.PHONY: test-private
test-private: $B/driftd  ## canaries: secrets nowhere, values of records nowhere with `privacy: hash`
	python3 tests/tools/check_private.py $B/driftd
.PHONY: test-faults
test-faults: $B/driftd tools  ## locks on the database, files at their limit, storms of signals, a log that nobody reads
	python3 tests/tools/check_faults.py $B
test-http: $B/driftd  ## /metrics and /health: figures, refusals, hostile clients
	python3 tests/tools/check_http.py $B/driftd tests/data
demo: $B/driftd $B/demo_producer  ## the daemon on two years of predictions, then the questions one asks
	@sh tests/demo/demo.sh $B
test-ops: $B/driftd $B/demo_producer  ## real Prometheus and Alertmanager (sh tests/setup all)
	promtool test rules tests/ops/rules_test.yaml
	python3 tests/ops/check_ops.py $B
.PHONY: hunt
hunt: $B/crash_hunt  ## commits and crashes at every place of a made-up world: CONFIG=, FILES= for others, SEEDS=3, ARGS=
	$(if $(CONFIG),,python3 tests/tools/crash_world.py $(or $(WORLD),made) $B/hunt --seed $(or $(SEED),1))
	$B/crash_hunt -s $(or $(SEEDS),3) $(ARGS) $(or $(CONFIG),$B/hunt/config.yaml) $(or $(FILES),$B/hunt/part.*)
KILLS ?= 100
test-kafka: $B/driftd tools  ## the daemon against a real Apache Kafka (needs Java 17, Maven, kcat)
	tests/kafka/run.sh $B
test-kill: $B/driftd tools  ## kill -9, KILLS=100 times: the database equals that of an undisturbed run
	$(MAKE) MODE=broken all
	python3 tests/kill/kill.py $B --kills $(KILLS) --broken $(BUILD)/broken $(if $(SEED),--seed $(SEED))
FUZZ_SECONDS ?= 30
FUZZ := fuzz_decode fuzz_config fuzz_state
$B/fuzz_%: $B/tests/fuzz/fuzz_%.o $B/tests/detector_fixture.o $(LIB)
	@echo "  LINK  $@"; $(LINK) -o $@ $^ -lcmocka $(LIBS)
fuzz:  ## hostile bytes for FUZZ_SECONDS=30 each: records, configurations, states of detectors (clang)
	$(MAKE) MODE=fuzz CC=clang CXX=clang++ $(FUZZ:%=$(BUILD)/fuzz/%)
	@for f in $(FUZZ); do echo "  $$f"; mkdir -p $(BUILD)/fuzz/$$f.found; \
		$(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -print_final_stats=0 \
		-max_len=4096 -artifact_prefix=$(BUILD)/fuzz/$$f. -dict=tests/fuzz/$$f.dict $(BUILD)/fuzz/$$f.found \
		tests/fuzz/corpus/$$f > $(BUILD)/fuzz/$$f.log 2>&1 || { tail -n 40 $(BUILD)/fuzz/$$f.log; exit 1; }; \
		tail -n 1 $(BUILD)/fuzz/$$f.log; done
deb:  ## a Debian package in build/deb, checked by lintian (needs debhelper, lintian)
	rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/driftd
	git archive HEAD | tar -x -C $(BUILD)/deb/driftd
	cd $(BUILD)/deb/driftd && env -u MAKEFLAGS -u MFLAGS -u BUILD dpkg-buildpackage -us -uc -b >../log 2>&1 || { tail -n 30 ../log; exit 1; }
	lintian --fail-on error $(BUILD)/deb/*.changes
	@ls $(BUILD)/deb/*.deb
.PHONY: test-deb
test-deb: deb  ## that package in a Debian 12 of its own: installs, starts, upgrades, goes away (root, debootstrap)
	python3 tests/ops/check_deb.py $$(ls $(BUILD)/deb/driftd_*.deb) $(BUILD)/deb-root
test-docs: $B/driftd  ## queries of docs/cookbook.md and their answers; commands of the guide; the producer's helper
	python3 tests/docs/check_cookbook.py $B/driftd $B/docs
	python3 tests/docs/check_guide.py $B/driftd $B/docs
test-page: $B/driftd  ## the report in headless Chromium: figures, accessibility, screenshots in build/release/page
	python3 tests/page/check_page.py $B/driftd tests/data $B/page
bench: $B/driftd $B/bench_records  ## processor time of a record: floor, statistics, detectors, replay
	@mkdir -p $B/bench && $B/bench_records $B/driftd $B/bench
.PHONY: bench-detectors
bench-detectors: $B/bench_detectors $B/bench_uncertainty  ## nanoseconds of a value in every detector, of a decomposition
	@$B/bench_detectors
	@$B/bench_uncertainty
.PHONY: bench-peers
bench-peers: $B/driftd  ## replay beside one Python process with River's ADWIN and orjson (from PyPI)
	@python3 tests/bench/peers.py $B/driftd $B/bench
.PHONY: bench-models
bench-models: $B/driftd  ## 100 models of 50 features in one process: memory, commits, rate, beside what check says
	@python3 tests/bench/models.py $B/driftd $B/bench $(MODELS)
bench-labels: $B/bench_labels  ## labels while WAITING=10000000 predictions wait: speed, memory, restart
	@mkdir -p $B/bench && $B/bench_labels $B/bench $(WAITING)
.PHONY: bench-delay
bench-delay: $B/bench_delay  ## records from a change to its alarm, beside other detectors as honest (SHORT=1, ONLY=word, JSON=1)
	@$B/bench_delay $(if $(SHORT),--short) $(if $(JSON),--json) $(if $(ONLY),--only '$(ONLY)')
.PHONY: bench-honesty
bench-honesty: $B/bench_honesty  ## false alarms / budget of every detector on hard streams (SHORT=1, ONLY=word, JSON=1)
	@$B/bench_honesty $(if $(SHORT),--short) $(if $(JSON),--json) $(if $(ONLY),--only '$(ONLY)')
test-crash: $B/driftd tools  ## a few kills against a mock broker: no Java, part of make test
	python3 tests/kill/kill.py $B --mock --partitions 2 --kills 5 $(if $(SEED),--seed $(SEED))
