# Bantam. `make` builds ./bantam; `make help` lists the rest.
VERSION  := 0.1.0
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN      ?=
PREFIX   ?= /usr/local
ARCH     := $(shell $(CC) -dumpmachine | cut -d- -f1)

# An instruction set is one item here and one row in quant/isa.c.
ISAS         := base $(if $(filter x86_64,$(ARCH)),avx2 avx512)
FLAGS_avx2   := -mavx2 -mf16c
FLAGS_avx512 := -mavx2 -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512

# Debian package behind each pkg-config name: see docs/dependencies.md.
LIBS     := libcjson:libcjson-dev zlib:zlib1g-dev libxxhash:libxxhash-dev libpcre2-8:libpcre2-dev \
            libutf8proc:libutf8proc-dev yaml-0.1:libyaml-dev libcrypto:libssl-dev
PKGS     := $(foreach l,$(LIBS),$(firstword $(subst :, ,$(l))))
NEED_LIBS := $(if $(filter clean help,$(MAKECMDGOALS)),,yes)
ifeq ($(NEED_LIBS),yes)
$(if $(shell command -v pkg-config),,$(error pkg-config was not found: install it with: sudo apt-get install -y pkg-config))
$(foreach l,$(LIBS),$(if $(shell pkg-config --exists $(firstword $(subst :, ,$(l))) && echo yes),,\
  $(error $(firstword $(subst :, ,$(l))) was not found: install it with: sudo apt-get install -y $(lastword $(subst :, ,$(l))))))
endif

WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
            -Wold-style-definition -Wvla -Wno-psabi
CFLAGS   ?= -O2 -g
KERNEL_CFLAGS ?= $(if $(SAN),-O2,-O3)
# gcc's first scheduler, off by default on x86, makes chains of different groups run side by side: Q2_K 15 %, Q3_K 5 % faster. IQ1_S is slower by it.
SCHEDULED := $(if $(or $(SAN),$(findstring clang,$(CC))),,-fschedule-insns -fsched-pressure)
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. $(WARN) -ffp-contract=off -fno-math-errno -fopenmp \
            -DBANTAM_VERSION='"$(VERSION)"' $(if $(NEED_LIBS),$(shell pkg-config --cflags $(PKGS))) \
            $(if $(WERROR),-Werror) $(if $(SAN),-DSANITIZED -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDLIBS   := $(if $(NEED_LIBS),$(shell pkg-config --libs $(PKGS))) -lm

comma    := ,
B        := build/$(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
BANTAM   := $(if $(SAN)$(filter-out gcc cc,$(notdir $(CC))),$(B)/bantam,bantam)
FOLDERS  := quant formats tokenizer convert verify tools
KERNELS  := $(wildcard quant/types/*.c) quant/qtype_table.c quant/magnitude.c verify/vector_isa.c verify/units_isa.c
SOURCES  := $(filter-out $(KERNELS),$(wildcard $(FOLDERS:%=%/*.c)) $(wildcard convert/arch/*.c))
MAIN     := tools/bantam.c
ISA_OBJ  := $(foreach i,$(ISAS),$(patsubst %.c,$(B)/$(i)/%.o,$(KERNELS)))
LIB_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAIN),$(SOURCES))) $(ISA_OBJ)
UNIT_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/replay.c,$(wildcard tests/fuzz/*.c)))

$(foreach i,$(ISAS),$(patsubst %.c,$(B)/$(i)/%.o,$(wildcard quant/types/q?_k.c))): KERNEL_CFLAGS += $(SCHEDULED)

all: $(BANTAM)

$(BANTAM): $(patsubst %.c,$(B)/%.o,$(MAIN)) $(B)/libbantam.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/unit: $(UNIT_OBJ) $(B)/libbantam.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/kernels: $(B)/tests/kernels.o $(patsubst %.c,$(B)/%.o,$(filter quant/%,$(SOURCES))) $(ISA_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm
$(FUZZ): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(B)/libbantam.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/libbantam.a: $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
define isa_rule
$(B)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) $$(KERNEL_CFLAGS) $$(FLAGS_$(1)) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$(i))))
-include $(wildcard $(B)/*.d $(B)/*/*.d $(B)/*/*/*.d $(B)/*/*/*/*.d)

test: $(BANTAM) $(B)/unit $(B)/kernels $(FUZZ)
	@BUILD=$(B) BANTAM=$(BANTAM) SAN=$(SAN) tests/run.sh $(T)

# The bundled model, quantized in one command and measured against the original.
demo: $(BANTAM)
	./$(BANTAM) convert demo -o build/demo.Q4_K_M.gguf --type Q4_K_M --force
	./$(BANTAM) verify build/demo.Q4_K_M.gguf --against demo --text demo/text.txt --context 256

# Ratios against the peers where they are found (see tests/bench/run.sh), and GB/s of every encoding on every ISA.
bench: $(BANTAM) $(B)/kernels $(B)/make_model
	$(B)/kernels --bench
	BUILD=$(B) BANTAM=$(BANTAM) tests/bench/run.sh
$(B)/make_model: $(B)/tests/bench/make_model.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm

# The largest published shapes in sparse files: time and memory of plans and conversions.
sparse: $(BANTAM) $(B)/make_sparse $(B)/within
	BUILD=$(B) BANTAM=$(BANTAM) tests/bench/sparse.sh
$(B)/make_sparse $(B)/within: $(B)/%: $(B)/tests/bench/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# Fingerprints of license texts, which are not in this tree: see tests/gen/license_prints.c.
$(B)/license_prints: $(B)/tests/gen/license_prints.o $(B)/libbantam.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# libFuzzer on one reader: make fuzz F=gguf S=60. Inputs that bring it down are left as build/crash-*.
fuzz:
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined run-fuzzer
run-fuzzer: $(B)/fuzzer-$(F)
	@mkdir -p build/corpus-$(F)
	cd build && ../$< -max_total_time=$(or $(S),60) -max_len=4096 corpus-$(F) ../tests/golden ../tests/bad
$(B)/fuzzer-%: $(B)/tests/fuzz/%.o $(B)/libbantam.a
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

lint: $(B)/libbantam.a
	@BUILD=$(B) tests/lint.sh

install: $(BANTAM)
	install -D -m 755 $(BANTAM) $(DESTDIR)$(PREFIX)/bin/bantam
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	./$(BANTAM) help man > $(DESTDIR)$(PREFIX)/share/man/man1/bantam.1
	for c in $$(sed -n 's/^ROW(\(.*\))$$/\1/p' tools/commands.def); do \
	    ./$(BANTAM) help man $$c > $(DESTDIR)$(PREFIX)/share/man/man1/bantam-$$c.1; done
	./$(BANTAM) help bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/bantam
	./$(BANTAM) help zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bantam

help:
	@echo 'make [all]    ./bantam;  CC=clang, SAN=address,undefined, WERROR=1'
	@echo 'make test     everything; T=inspect: what matches; BLESS=1 rewrites expected outputs'
	@echo 'make demo     the bundled model to Q4_K_M, and what that cost'
	@echo 'make bench    speed, with the peers beside it where they are installed'
	@echo 'make sparse   the largest published shapes in sparse files: time and memory'
	@echo 'make fuzz     F=gguf, json ... (tests/fuzz); S=seconds: libFuzzer, with clang'
	@echo 'make lint     folder order, symbols, clang-tidy, cppcheck, shellcheck'
	@echo 'make install  binary, man page, completions; PREFIX=/usr/local, DESTDIR='
	@echo 'make aarch64  the encodings cross-compiled, their bytes checked under qemu-user'
	@echo 'make clean'

# The encodings on another CPU: cross-compiled (gcc-aarch64-linux-gnu) and run by qemu-user, for bytes and not for speed.
aarch64:
	@$(MAKE) --no-print-directory CC=aarch64-linux-gnu-gcc B=build/aarch64 build/aarch64/kernels
	qemu-aarch64 -L /usr/aarch64-linux-gnu build/aarch64/kernels

clean:
	rm -rf build bantam

.PHONY: all test demo bench sparse fuzz run-fuzzer lint install help aarch64 clean
.DELETE_ON_ERROR:
