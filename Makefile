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
            libutf8proc:libutf8proc-dev openblas:libopenblas-dev yaml-0.1:libyaml-dev
PKGS     := $(foreach l,$(LIBS),$(firstword $(subst :, ,$(l))))
NEED_LIBS := $(if $(filter clean help,$(MAKECMDGOALS)),,yes)
ifeq ($(NEED_LIBS),yes)
$(foreach l,$(LIBS),$(if $(shell pkg-config --exists $(firstword $(subst :, ,$(l))) && echo yes),,\
  $(error $(firstword $(subst :, ,$(l))) was not found: install it with: sudo apt-get install -y $(lastword $(subst :, ,$(l))))))
endif

WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes \
            -Wold-style-definition -Wvla -Wno-psabi
CFLAGS   ?= -O2 -g
KERNEL_CFLAGS ?= -O3
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. $(WARN) -ffp-contract=off -fno-math-errno -fopenmp \
            -DBANTAM_VERSION='"$(VERSION)"' $(if $(NEED_LIBS),$(shell pkg-config --cflags $(PKGS))) \
            $(if $(WERROR),-Werror) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDLIBS   := $(if $(NEED_LIBS),$(shell pkg-config --libs $(PKGS))) -lm

comma    := ,
B        := build/$(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
BANTAM   := $(if $(SAN),$(B)/bantam,bantam)
FOLDERS  := quant formats tokenizer convert verify tools
KERNELS  := $(wildcard quant/types/*.c) quant/qtype_table.c
SOURCES  := $(filter-out $(KERNELS),$(wildcard $(FOLDERS:%=%/*.c)) $(wildcard convert/arch/*.c))
MAIN     := tools/bantam.c
LIB_OBJ  := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAIN),$(SOURCES))) \
            $(foreach i,$(ISAS),$(patsubst %.c,$(B)/$(i)/%.o,$(KERNELS)))
UNIT_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c))

all: $(BANTAM)

$(BANTAM): $(patsubst %.c,$(B)/%.o,$(MAIN)) $(B)/libbantam.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/unit: $(UNIT_OBJ) $(B)/libbantam.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/kernels: $(B)/tests/kernels.o $(B)/libbantam.a
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

test: $(BANTAM) $(B)/unit $(B)/kernels
	@BUILD=$(B) BANTAM=$(BANTAM) SAN=$(SAN) tests/run.sh $(T)

clean:
	rm -rf build bantam

.PHONY: all test clean
.DELETE_ON_ERROR:
