$bantam quantize "$root/demo" --type Q4_K_S --tensor-type 'attn_v=q8_0' --output-type f16 --embedding-type q5_k --dry-run | sed -n 1,8p
