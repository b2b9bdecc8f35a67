printf 'attn_v=q8_0 ffn_down=Q5_K\n\nattn_v=f16\n' >types
$bantam quantize "$root/demo" --type Q4_K_S --tensor-types types --dry-run | grep -e attn_v -e ffn_down
printf 'attn_v\n' >types
$bantam quantize "$root/demo" --type Q4_K_S --tensor-types types --dry-run
