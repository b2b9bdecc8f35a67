#!/usr/bin/env python3
"""Writes tests/golden/formats: small files from the formats' own libraries (PyPI: gguf, safetensors, torch, numpy).

Weight k of every tensor is (k mod 7) - 3, so that a test knows each one without a listing."""
import json
import os
import struct
import sys

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(__file__), "..", "golden", "formats")


def weights(*shape, dtype=np.float32):
    return ((np.arange(int(np.prod(shape))) % 7) - 3).reshape(shape).astype(dtype)


def keys(w):
    w.add_uint8("value.uint8", 200)
    w.add_int8("value.int8", -100)
    w.add_uint16("value.uint16", 60000)
    w.add_int16("value.int16", -30000)
    w.add_uint32("value.uint32", 4000000000)
    w.add_int32("value.int32", -2000000000)
    w.add_uint64("value.uint64", 2**63 + 1)
    w.add_key_value("value.int64", -(2**62), gguf.GGUFValueType.INT64)
    w.add_float32("value.float32", 0.1)
    w.add_float64("value.float64", 0.1)
    w.add_bool("value.bool", True)
    w.add_string("value.string", "gr\u00fc\u00df dich")
    w.add_array("array.strings", ["a", "", "\u4f60\u597d", "d" * 300])
    w.add_array("array.ints", [1, -2, 3])
    w.add_array("array.floats", [0.5, -1.5])
    w.add_array("array.bools", [True, False, True])
    w.add_array("array.bytes", b"\x01\x02\xff")


def tensors(w):
    w.add_tensor("f32", weights(5, 3))
    w.add_tensor("f16", weights(2, 3, 4, dtype=np.float16))
    w.add_tensor("f64", weights(3, dtype=np.float64))
    w.add_tensor("i8", weights(2, 2, 2, 3, dtype=np.int8))
    w.add_tensor("i32", weights(7, dtype=np.int32))
    bf16 = gguf.quants.quantize(weights(3, 8), gguf.GGMLQuantizationType.BF16)
    w.add_tensor("bf16", bf16, raw_dtype=gguf.GGMLQuantizationType.BF16)
    q8 = gguf.quants.quantize(weights(2, 64), gguf.GGMLQuantizationType.Q8_0)
    w.add_tensor("q8_0", q8, raw_dtype=gguf.GGMLQuantizationType.Q8_0)


def write(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def gguf_files():
    path = os.path.join(OUT, "types.gguf")
    w = gguf.GGUFWriter(path, "llama")
    keys(w)
    tensors(w)
    write(w)
    data = open(path, "rb").read()
    open(os.path.join(OUT, "version2.gguf"), "wb").write(data[:4] + struct.pack("<I", 2) + data[8:])

    w = gguf.GGUFWriter(os.path.join(OUT, "aligned.gguf"), "llama")
    w.add_custom_alignment(128)
    tensors(w)
    write(w)

    w = gguf.GGUFWriter(os.path.join(OUT, "split.gguf"), "llama", split_max_tensors=3)
    keys(w)
    tensors(w)
    write(w)


def nested():
    """Arrays in arrays, which gguf-py does not write: [[1, 2], [], [3]] as int32, and no tensors."""
    def string(s):
        return struct.pack("<Q", len(s)) + s
    rows = b"".join(struct.pack("<IQ", 5, len(r)) + struct.pack("<%di" % len(r), *r) for r in ([1, 2], [], [3]))
    body = string(b"nested") + struct.pack("<IIQ", 9, 9, 3) + rows
    open(os.path.join(OUT, "nested.gguf"), "wb").write(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + body)


def t(*shape, dtype=torch.float32):
    return torch.from_numpy(weights(*shape, dtype=np.float64)).reshape(shape).to(dtype)


def safetensors_files():
    save_file({
        "f32": t(5, 3), "f16": t(2, 3, 4, dtype=torch.float16), "bf16": t(3, 8, dtype=torch.bfloat16),
        "f64": t(3, dtype=torch.float64), "i8": t(2, 2, 2, 3, dtype=torch.int8), "i32": t(7, dtype=torch.int32),
        "i64": t(2, dtype=torch.int64), "u8": t(5, dtype=torch.int8).to(torch.uint8), "bool": t(3).to(torch.bool),
        "e4m3": t(5, dtype=torch.float32).to(torch.float8_e4m3fn), "scalar": t(1).reshape(()),
        "empty": t(0, 4), "rank6": t(1, 2, 1, 2, 1, 3),
    }, os.path.join(OUT, "types.safetensors"), metadata={"format": "pt", "note": "gr\u00fc\u00df \"dich\"\n"})

    # Written by hand, so that float32 data starts at an odd byte: allowed, though the library avoids it.
    header = json.dumps({"a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
                         "b": {"dtype": "F32", "shape": [2, 5], "data_offsets": [3, 43]}}).encode()
    header += b" " * (-len(header) % 8)
    data = bytes([1, 2, 3]) + weights(2, 5).tobytes()
    open(os.path.join(OUT, "odd.safetensors"), "wb").write(struct.pack("<Q", len(header)) + header + data)

    shards = os.path.join(OUT, "shards")
    os.makedirs(shards, exist_ok=True)
    names = ["model-0000%d-of-00002.safetensors" % i for i in (1, 2)]
    save_file({"a": t(4, 4), "b": t(3)}, os.path.join(shards, names[0]), metadata={"format": "pt"})
    save_file({"c": t(2, 4, dtype=torch.bfloat16)}, os.path.join(shards, names[1]), metadata={"format": "pt"})
    json.dump({"metadata": {"total_size": 92}, "weight_map": {"a": names[0], "c": names[1], "b": names[0]}},
              open(os.path.join(shards, "model.safetensors.index.json"), "w"), indent=2)


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    gguf_files()
    nested()
    safetensors_files()
    sys.exit(0)
