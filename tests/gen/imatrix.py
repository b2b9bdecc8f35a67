#!/usr/bin/env python3
"""Writes tests/golden/imatrix and tests/bad/imatrix: small importance matrices of both kinds (PyPI: gguf, numpy). The
layout of the older kind is that of llama.cpp's common/imatrix-loader.cpp. Beside each bad file, the refusal."""
import os
import struct

import gguf
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN, BAD = (os.path.join(HERE, "..", d, "imatrix") for d in ("golden", "bad"))
EXPS = np.array([[2, 4, 6, 8], [0, 0, 0, 0], [4, 0, 8, 1]], np.float32)
ATTN = np.array([10, 20, 30, 40], np.float32)


def write_gguf(path, entries, kind="imatrix"):
    w = gguf.GGUFWriter(path, "x")
    w.kv_data[0].clear()
    w.add_string("general.type", kind)
    w.add_array("imatrix.datasets", ["calib.txt", "more.txt"])
    w.add_uint32("imatrix.chunk_count", 7)
    w.add_uint32("imatrix.chunk_size", 512)
    for name, value in entries:
        w.add_tensor(name, value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def pair(name, sums, counts):
    return [(name + ".in_sum2", np.asarray(sums, np.float32)), (name + ".counts", np.asarray(counts, np.float32))]


def legacy(entries, end=b""):
    data = struct.pack("<i", len(entries))
    for name, calls, values in entries:
        data += struct.pack("<i", len(name)) + name + struct.pack("<ii", calls, len(values))
        data += np.asarray(values, "<f4").tobytes()
    return data + end


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)


def bad(name, text, data):
    path = os.path.join(BAD, name)
    if isinstance(data, list):
        write_gguf(path, data)
    else:
        write(path, data)
    write(path + ".txt", text.encode() + b"\n")


os.makedirs(GOLDEN, exist_ok=True)
os.makedirs(BAD, exist_ok=True)
exps, attn = "blk.0.ffn_up_exps.weight", "blk.0.attn_q.weight"
write_gguf(os.path.join(GOLDEN, "experts.gguf"), pair(exps, EXPS, [[2], [0], [4]]) + pair(attn, ATTN, [10]))
old = [(exps.encode(), 5, EXPS.reshape(-1)), (attn.encode(), 0, ATTN)]
write(os.path.join(GOLDEN, "old.dat"), legacy(old))
write(os.path.join(GOLDEN, "old-with-text.dat"), legacy(old, struct.pack("<ii", 9, 9) + b"calib.txt"))

bad("nan.gguf", f"entry '{attn}' has the sum of squares nan at index 2", pair(attn, [1, 2, np.nan, 4], [1]))
bad("negative.gguf", f"entry '{attn}' has the sum of squares -2 at index 1", pair(attn, [1, -2, 3, 4], [1]))
bad("infinite.dat", f"entry '{attn}' has the sum of squares inf at index 0", legacy([(attn.encode(), 1, [np.inf])]))
bad("count-nan.gguf", f"entry '{attn}' has the count nan at index 0", pair(attn, ATTN, [np.nan]))
bad("counts-missing.gguf", f"entry '{attn}' has sums, but no counts", pair(attn, ATTN, [1])[:1])
bad("counts-too-many.gguf", f"entry '{attn}' has 4 sums and 3 counts", pair(attn, ATTN, [1, 2, 3]))
bad("sums-f16.gguf", f"entry '{attn}' has sums of type F16 and counts of type F32, not F32",
    [(attn + ".in_sum2", ATTN.astype(np.float16)), (attn + ".counts", np.ones(1, np.float32))])
bad("a-model.gguf", "is a GGUF file of type 'imatrix' without sums of squares, no importance matrix",
    [("token_embd.weight", ATTN)])
bad("empty.dat", "is no importance matrix: neither a GGUF file nor a list of entries", b"")
bad("text.dat", "is no importance matrix: neither a GGUF file nor a list of entries", b"not a matrix at all, just a line of text\n")
bad("no-entries.dat", "is no importance matrix: neither a GGUF file nor a list of entries", struct.pack("<i", 0))
bad("name-negative.dat", "entry 0 has a name of -1 bytes and 1 values", struct.pack("<iiii", 1, -1, 1, 1) + bytes(12))
bad("name-huge.dat", "ends after 24 bytes inside entry 0", struct.pack("<iiiiii", 1, 2**31 - 1, 1, 1, 0, 0))
bad("values-huge.dat", "ends after 21 bytes inside entry 0", struct.pack("<ii", 1, 1) + b"a" + struct.pack("<iii", 1, 2**31 - 1, 0))
bad("values-none.dat", "entry 0 has a name of 1 bytes and 0 values", struct.pack("<ii", 1, 1) + b"a" + struct.pack("<iii", 1, 0, 0))
bad("name-with-nul.dat", "entry 0 has a name of 2 bytes and 1 values", legacy([(b"a\0", 1, [1])]))
bad("twice.dat", "entry 'a' stands twice in the matrix", legacy([(b"a", 1, [1]), (b"a", 1, [1])]))
bad("end-cut.dat", "ends after 24 bytes inside what follows entry 0", legacy([(b"a", 1, [1])], b"abc"))
bad("text-negative.dat", "ends after 29 bytes inside what follows entry 0", legacy([(b"a", 1, [1])], struct.pack("<ii", 1, -5)))
