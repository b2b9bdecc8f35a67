#!/usr/bin/env python3
"""Writes tests/bad/formats: inputs that must be refused, each named after what is wrong. The sentences beside them
(NAME.txt) come from `BLESS=1 build/gcc/unit formats_bad` and are read before they are committed."""
import json
import os
import struct

OUT = os.path.join(os.path.dirname(__file__), "..", "bad", "formats")
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def put(name, data):
    path = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


# ---- GGUF ----

def s(text):
    b = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(b)) + b


def key(name, type_, value):
    return s(name) + struct.pack("<I", type_) + value


def u32(name, value):
    return key(name, U32, struct.pack("<I", value))


def tensor(name, dims, type_=0, offset=0):
    return s(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + struct.pack("<IQ", type_, offset)


def gguf(keys=(), tensors=(), data=b"", align=32, version=3, nkeys=None, ntensors=None):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors) if ntensors is None else ntensors,
                                 len(keys) if nkeys is None else nkeys) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % align) + data


ARCH = key("general.architecture", STRING, s("llama"))
ONE = [tensor("a", [8])]
DATA = bytes(32)


def nest(depth):
    inner = struct.pack("<IQ", U32, 0)
    for _ in range(depth):
        inner = struct.pack("<IQ", ARRAY, 1) + inner
    return inner


def gguf_cases():
    put("empty.gguf", b"")
    put("magic.gguf", b"GGML" + bytes(60))
    put("version-1.gguf", gguf([ARCH], version=1))
    put("version-4.gguf", gguf([ARCH], version=4))
    put("big-endian.gguf", b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    put("key-count-huge.gguf", gguf([ARCH], nkeys=2**40))
    put("tensor-count-huge.gguf", gguf([ARCH], ONE, DATA, ntensors=2**63))
    put("key-name-cut.gguf", gguf([ARCH, struct.pack("<Q", 1000) + b"general.na" + bytes(20)]))
    put("key-name-empty.gguf", gguf([u32("", 1)]))
    put("key-name-zero-byte.gguf", gguf([u32(b"a\0b", 1)]))
    put("key-name-long.gguf", gguf([u32("k" * 65536, 1)]))
    put("key-twice.gguf", gguf([ARCH, u32("a", 1), u32("a", 2)]))
    put("value-type-13.gguf", gguf([key("a", 13, bytes(16))]))
    put("value-cut.gguf", gguf([ARCH, key("a", 12, b"")], align=1))
    put("string-length-huge.gguf", gguf([key("a", STRING, struct.pack("<Q", 2**64 - 1)), ARCH]))
    put("bool-2.gguf", gguf([key("a", BOOL, b"\2")]))
    put("array-type-99.gguf", gguf([key("a", ARRAY, struct.pack("<IQ", 99, 0))]))
    put("array-bool-2.gguf", gguf([key("a", ARRAY, struct.pack("<IQ", BOOL, 2) + b"\1\2")]))
    put("array-count-huge.gguf", gguf([key("a", ARRAY, struct.pack("<IQ", F32, 2**62))]))
    put("array-strings-count-huge.gguf", gguf([key("a", ARRAY, struct.pack("<IQ", STRING, 2**61))]))
    put("array-string-cut.gguf", gguf([key("a", ARRAY, struct.pack("<IQQ", STRING, 1, 2**64 - 8)), ARCH]))
    put("array-arrays-count-huge.gguf", gguf([key("a", ARRAY, struct.pack("<IQ", ARRAY, 2**60))]))
    put("array-nested-9.gguf", gguf([key("a", ARRAY, nest(8))]))
    put("alignment-type.gguf", gguf([key("general.alignment", I32, struct.pack("<i", 32))], ONE, DATA))
    put("alignment-0.gguf", gguf([u32("general.alignment", 0)], ONE, DATA))
    put("alignment-2-to-31.gguf", gguf([u32("general.alignment", 2**31)]))
    put("alignment-12.gguf", gguf([u32("general.alignment", 12)], ONE, DATA, align=12))
    put("tensor-cut.gguf", gguf([ARCH], [tensor("a" * 40, [8])[:-12]], align=1))
    put("tensor-rank-5.gguf", gguf([ARCH], [tensor("a", [1, 1, 1, 1, 8])], DATA))
    put("tensor-type-4.gguf", gguf([ARCH], [tensor("a", [32], 4)], DATA))
    put("tensor-type-huge.gguf", gguf([ARCH], [tensor("a", [32], 2**32 - 1)], DATA))
    put("tensor-row-33.gguf", gguf([ARCH], [tensor("a", [33, 2], 8)], bytes(96)))
    put("tensor-shape-overflow.gguf", gguf([ARCH], [tensor("a", [2**33, 2**33])], DATA))
    put("tensor-shape-negative.gguf", gguf([ARCH], [tensor("a", [2**64 - 1])], DATA))
    put("tensor-offset-8.gguf", gguf([ARCH], [tensor("a", [8], 0, 8)], bytes(64)))
    put("tensor-offset-overflow.gguf", gguf([ARCH], [tensor("a", [8], 0, 2**64 - 32)], DATA))
    put("tensor-data-short.gguf", gguf([ARCH], [tensor("a", [8]), tensor("b", [8], 0, 32), tensor("c", [8], 0, 64)], bytes(60)))
    put("tensors-overlap.gguf", gguf([ARCH], [tensor("a", [16]), tensor("b", [8], 0, 32)], bytes(64)))
    put("tensor-twice.gguf", gguf([ARCH], [tensor("a", [8]), tensor("a", [8], 0, 32)], bytes(64)))
    put("tensor-name-empty.gguf", gguf([ARCH], [tensor("", [8])], DATA))


def shard(no, count, tensors, total, keys=()):
    split = [key("split.no", 2, struct.pack("<H", no)), key("split.count", 2, struct.pack("<H", count)),
             key("split.tensors.count", I32, struct.pack("<i", total))]
    return gguf(list(keys) + split, tensors, bytes(32 * len(tensors)))


def split_cases():
    a, b = [tensor("a", [8])], [tensor("b", [8])]
    put("split-second-00002-of-00002.gguf", shard(1, 2, b, 2))
    put("split-renamed.gguf", shard(0, 2, a, 2))
    put("split-missing/m-00001-of-00003.gguf", shard(0, 3, a, 3))
    put("split-missing/m-00003-of-00003.gguf", shard(2, 3, b, 3))
    put("split-swapped/m-00001-of-00003.gguf", shard(0, 3, a, 3))
    put("split-swapped/m-00002-of-00003.gguf", shard(2, 3, b, 3))
    put("split-swapped/m-00003-of-00003.gguf", shard(1, 3, [], 3))
    put("split-tensor-count/m-00001-of-00002.gguf", shard(0, 2, a, 3))
    put("split-tensor-count/m-00002-of-00002.gguf", shard(1, 2, b, 3))
    put("split-tensor-twice/m-00001-of-00002.gguf", shard(0, 2, a, 2))
    put("split-tensor-twice/m-00002-of-00002.gguf", shard(1, 2, a, 2))
    put("gguf-two/a.gguf", gguf([ARCH], ONE, DATA))
    put("gguf-two/b.gguf", gguf([ARCH], ONE, DATA))


# ---- safetensors ----

def st(header, data=b"", n=None):
    h = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(h) if n is None else n) + h + data


def f32(begin, end, shape=None):
    return {"dtype": "F32", "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


def safetensors_cases():
    def one(name, entry, data=bytes(8)):
        put(name + ".safetensors", st({"a": entry}, data))

    put("five-bytes.safetensors", b"\x10\0\0\0\0")
    put("header-too-long.safetensors", st(b"{}" + b" " * 30, n=1000))
    put("header-over-limit.safetensors", st(b"{}" + b" " * 30, n=100000001))
    put("header-2-to-64.safetensors", st(b"{}" + b" " * 30, n=2**64 - 1))
    put("header-empty.safetensors", st(b"", b"{}"))
    put("header-brace.safetensors", st(b" {}"))
    put("header-json.safetensors", st(b'{"a": {"dtype": "F32",, }}'))
    put("header-json-cut.safetensors", st(b'{"a": {"dtype": "F32"'))
    put("header-behind.safetensors", st(b'{} {}'))
    put("header-deep.safetensors", st(b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}"))
    put("header-utf8.safetensors", st(b'{"a\xff": {}}'))
    put("name-twice.safetensors", st(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', bytes(2)))
    put("metadata-array.safetensors", st({"__metadata__": []}))
    put("metadata-number.safetensors", st({"__metadata__": {"format": 1}}))
    one("entry-number", 7)
    one("dtype-missing", {"shape": [2], "data_offsets": [0, 8]})
    one("dtype-unknown", {"dtype": "F31", "shape": [2], "data_offsets": [0, 8]})
    one("dtype-f4", {"dtype": "F4", "shape": [16], "data_offsets": [0, 8]})
    one("shape-missing", {"dtype": "F32", "data_offsets": [0, 8]})
    one("shape-negative", {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]})
    one("shape-half", {"dtype": "F32", "shape": [2.5], "data_offsets": [0, 8]})
    one("shape-rank-9", {"dtype": "F32", "shape": [1] * 8 + [2], "data_offsets": [0, 8]})
    one("shape-overflow", {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]})
    one("offsets-missing", {"dtype": "F32", "shape": [2]})
    one("offsets-three", {"dtype": "F32", "shape": [2], "data_offsets": [0, 4, 8]})
    one("offsets-reversed", {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})
    one("offsets-size", {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]})
    one("data-short", f32(0, 12))
    one("data-behind", f32(0, 4))
    one("data-starts-late", f32(4, 8))
    put("data-hole.safetensors", st({"a": f32(0, 8), "b": f32(12, 16)}, bytes(16)))
    put("data-overlap.safetensors", st({"a": f32(0, 8), "b": f32(4, 12)}, bytes(12)))
    put("data-none.safetensors", st({}, b"x"))
    put("git-lfs-pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4976698672\n")


def index(name, weight_map):
    put(name + "/model.safetensors.index.json", json.dumps(weight_map).encode())


def directory_cases():
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    a, b = st({"a": f32(0, 8)}, bytes(8)), st({"b": f32(0, 4)}, bytes(4))
    both = {"weight_map": {"a": one, "b": two}}

    def shards(name, weight_map, first=a, second=b):
        index(name, weight_map)
        put(name + "/" + one, first)
        if second is not None:
            put(name + "/" + two, second)

    shards("shard-missing", both, second=None)
    shards("shard-cut", both, first=a[:-4])
    shards("shard-pointer", both, second=b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n")
    shards("shard-tensor-unnamed", {"weight_map": {"a": one, "b": two}}, second=st({"b": f32(0, 4), "c": f32(4, 8)}, bytes(8)))
    shards("shard-tensor-absent", {"weight_map": {"a": one, "b": two, "c": two}})
    shards("shard-tensor-elsewhere", {"weight_map": {"a": two, "b": one}})
    shards("shard-tensor-twice", {"weight_map": {"a": one, "b": two}}, second=st({"a": f32(0, 4), "b": f32(4, 8)}, bytes(8)))
    shards("index-path", {"weight_map": {"a": "../" + one, "b": two}})
    shards("index-number", {"weight_map": {"a": 1, "b": two}})
    shards("index-without-map", {"metadata": {}})
    put("index-json/model.safetensors.index.json", b'{"weight_map": {')
    put("index-lost/" + one, a)
    put("index-lost/" + two, b)
    put("pytorch-only/pytorch_model.bin", b"PK\3\4")
    put("pytorch.bin", b"PK\3\4 and so on")
    put("no-weights/config.json", b"{}")
    put("unknown.dat", b"some other file")
    put("pointer-dir/model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n")


if __name__ == "__main__":
    gguf_cases()
    split_cases()
    safetensors_cases()
    directory_cases()
