#!/usr/bin/env bash
# Evaluates an SAE of your own, in SAELens' format (topk, jumprelu, standard), on your own model and text:
#   ./run examples/evaluate_own_sae.sh MODEL LAYER SAE OUT TEXT...
# MODEL: transformers directory; LAYER: the block whose output the SAE reads, from 0; SAE: SAELens directory; OUT: a folder to
# write; TEXT: .txt, .jsonl, .json, .csv or .parquet files with a column `text`. CONTEXTS and CONTEXT_LENGTH: how much of it.
set -euo pipefail
[ $# -ge 5 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
model=$1 layer=$2 sae=$3 out=$4
shift 4

python -m wta_sae check-language-model --lm "$model" --layer "$layer" --context-length "${CONTEXT_LENGTH:-128}" \
    --out "$out/language_model.json"
python -m wta_sae collect-text files --paths "$@" --column text --evaluation-share 0.5 --out "$out/text.parquet"
python -m wta_sae tokenize --documents "$out/text.parquet" --split evaluation --tokenizer "$model" \
    --contexts "${CONTEXTS:-256}" --context-length "${CONTEXT_LENGTH:-128}" --packing concatenated --prepend-bos --seed 42 \
    --out "$out/tokens.safetensors"
python -m wta_sae evaluate tokens --lm "$model" --layer "$layer" --sae "$sae" --token-file "$out/tokens.safetensors" \
    --families core geometry --out "$out/metrics.json"
echo "written: $out/metrics.json; docs/metrics.md says what the numbers are"
