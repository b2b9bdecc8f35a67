# shellcheck shell=bash
# Sourced by the cases of stores: every store lies in this empty directory.
export HOME=$PWD
unset HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE XDG_CACHE_HOME XDG_DATA_HOME OLLAMA_MODELS JAN_DATA_FOLDER
# Paths, hashes and long sizes, which change with the demo model, are written as words.
here() { sed -E "s|$HOME|HOME|g; s/[0-9a-f]{64}/HASH/g; s/(size\"|size_bytes): ?[0-9]{6,}/\\1: N/g; s/[0-9.]+ MB/N MB/g"; }
