# The words that people type. The build itself is CMakeLists.txt.
BUILD   ?= build
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX  ?= /usr/local
CMAKE   ?= cmake
DATA    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/wick

all: $(BUILD)/CMakeCache.txt
	$(CMAKE) --build $(BUILD) -j $(JOBS)

$(BUILD)/CMakeCache.txt: | setup
	$(CMAKE) -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX)

setup:            ## install what building needs (Debian packages), if it is missing
	@tools/setup build

demo: all         ## the main job, in front of you: export a model, run it
	@tools/demo $(BUILD) $(DATA)

test: setup-test all      ## unit tests, fuzz corpora, scripts, and the light checks against the stock runtime and the tokenizers' references
	cd $(BUILD) && ctest --output-on-failure -j $(JOBS)
	@tools/interop_light $(BUILD) $(DATA)
	@tools/text_refs $(BUILD) $(DATA) 11000 1

setup-test: setup
	@tools/setup test

check: test       ## test, then everything again under AddressSanitizer and UndefinedBehaviorSanitizer
	$(CMAKE) -S . -B $(BUILD)-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWICK_SANITIZE=ON -DWICK_BENCH=OFF
	$(CMAKE) --build $(BUILD)-asan -j $(JOBS)
	cd $(BUILD)-asan && ctest --output-on-failure -j $(JOBS)

interop: all      ## compare with the stock runtime and exporter (once: 3 GB of PyTorch, an hour of stock exports)
	@tools/interop $(BUILD) $(DATA)

fuzz-text: all    ## a million random texts, every character and a million renderings against the references (TOKENIZERS=folder: real ones too)
	@nice -n 10 tools/text_refs $(BUILD) $(DATA) 1000000 "$$(date +%s)" --characters --tokenizers "$(TOKENIZERS)"

interop-old: all  ## the same with programs of older exporters (downloads a PyTorch for each version)
	@tools/interop_old $(BUILD) $(DATA)

bench: all        ## speed, ours and the peers' in turn
	@bench/run $(BUILD) $(DATA)
	@bench/load $(BUILD) $(DATA)

fuzz:             ## libFuzzer campaigns, FUZZ_SECONDS each (default 60)
	@tools/fuzz $(BUILD)-fuzz

damage:           ## programs with every number of their structure changed, opened and run under sanitizers (hours)
	@tools/damage $(BUILD)-asan

mutants:          ## takes the checks of the program readers away one by one: does a test notice?
	@tools/mutate_checks $(BUILD)-mutants

install: all      ## library, headers, program, pkg-config and CMake files, under PREFIX
	$(CMAKE) --install $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz $(BUILD)-mutants

help:
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  .*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 14

.PHONY: all setup setup-test demo test check interop interop-old fuzz-text bench fuzz damage mutants install clean help
