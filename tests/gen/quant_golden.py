#!/usr/bin/env python3
"""Golden bytes of encodings, made by ggml itself.

    tests/gen/quant_golden.py LIBGGML_BASE.so OUT_DIR NAME=GGUF_ID ...
    tests/gen/quant_golden.py /tmp/peer/build/bin/libggml-base.so tests/golden/quant q4_0=2 q4_k=12

writes OUT_DIR/NAME.bin, little-endian, which tests/kernels.c compares on every instruction set:

    u32       magic 0x31514742 ("BGQ1")
    u32       columns of a row, u32 rows, u32 bytes of all encoded rows
    u32       flags: 1 = encoded without importance is there, 2 = encoded with importance is there
    u32       reserved, 0
    f32       rows * columns inputs
    f32       columns importances
    bytes     encoded without importance, if flag 1
    bytes     encoded with importance, if flag 2
    u64       FNV-1a over the decoded floats (as bytes) of each of the encoded parts above, one after another

The library must be built for plain x86-64 (no FMA): that is the build whose bytes are the reference."""
import ctypes
import struct
import sys

import numpy as np

COLUMNS, ROWS = 256, 4
NEEDS_IMPORTANCE = {16, 17, 19}     # iq2_xxs, iq2_xs, iq1_s: the library refuses them without
LATTICE = {16, 17, 18, 19, 21, 22, 29}      # iq1, iq2, iq3: the library ends the program where costs overflow


class Traits(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64),
                ("size", ctypes.c_size_t), ("quantized", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64))]


def inputs(rng, huge):
    x = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32) * np.float32(0.05)
    x[0, ::97] *= 20                                    # outliers
    x[1] *= np.exp(rng.uniform(-12, 6, COLUMNS // 16)).astype(np.float32).repeat(16)
    x[2] = np.round(x[2] * 60) * np.float32(0.125)      # ties, equal extremes, zeros
    x[2, :32] = 0
    x[2, 32:64] = np.float32(-0.0)
    x[3] = np.abs(x[3])
    x[3, 64:128] *= -1
    x[3, 128:160] = np.float32(0.3)
    x[3, 160:192] *= np.float32(1e-34)
    x[3, 192:224] *= np.float32(huge)
    w = np.exp(rng.standard_normal(COLUMNS) * 1.5).astype(np.float32)
    w[::31] = 0
    return x, w


def fnv(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return h


def golden(lib, gguf_id):
    traits = lib.ggml_get_type_traits(gguf_id).contents
    x, w = inputs(np.random.default_rng(20 + gguf_id), 1e6 if gguf_id in LATTICE else 1e30)
    nbytes = x.size // traits.block * traits.size
    parts, hashes, flags = b"", b"", 0
    for flag in (1, 2):
        if flag == 1 and gguf_id in NEEDS_IMPORTANCE:
            continue
        out = ctypes.create_string_buffer(nbytes)
        n = lib.ggml_quantize_chunk(gguf_id, x.ctypes.data, out, 0, ROWS, COLUMNS, w.ctypes.data if flag == 2 else None)
        assert n == nbytes, (n, nbytes)
        back = np.zeros(x.size, np.float32)
        if gguf_id == 0:                # F32 has no to_float: decoding is copying
            back = np.frombuffer(out.raw, np.float32)
        else:
            traits.to_float(out, back.ctypes.data, back.size)
        flags |= flag
        parts += out.raw
        hashes += struct.pack("<Q", fnv(back.tobytes()))
    head = struct.pack("<6I", 0x31514742, COLUMNS, ROWS, nbytes, flags, 0)
    return head + x.tobytes() + w.tobytes() + parts + hashes


def main():
    lib = ctypes.CDLL(sys.argv[1])
    lib.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                        ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    for item in sys.argv[3:]:
        name, gguf_id = item.split("=")
        with open(f"{sys.argv[2]}/{name}.bin", "wb") as f:
            f.write(golden(lib, int(gguf_id)))


if __name__ == "__main__":
    main()
