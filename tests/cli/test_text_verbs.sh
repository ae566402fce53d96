#!/bin/sh
# wick tokenize and wick template in pipelines: one line out for each line in, also for what is wrong.
set -e
wick=$1/wick
data=$2/tests/data/text
want='{"ids":[4000,64,31,65,13,2533]}
{"text":"a@b.co"}
{"error":"the object should have \"text\" (a string) or \"ids\" (a list)"}'
got=$(printf '%s\n' '{"text":"a@b.co"}' '{"ids":[4000,64,31,65,13,2533],"skip_special":true}' '{"x":1}' |
    "$wick" tokenize --tokenizer "$data/tokenizer/trained/bl_p3.json" --jsonl)
[ "$got" = "$want" ] || { echo "tokenize: $got"; exit 1; }
[ "$(printf 'nonsense\n' | "$wick" tokenize -t "$data/tokenizer/trained/bl_p3.json" --jsonl | grep -c '^{"error":')" = 1 ]
got=$(printf '{"text":"\303\251 a@b.co","offsets":true,"add_special":false}\n' | "$wick" tokenize -t "$data/tokenizer/trained/bl_p3.json" --jsonl)
printf '%s\n' "$got" | grep -qF '"offsets":[[0,1],[1,3],' || { echo "offsets: $got"; exit 1; } # characters, not bytes
[ "$("$wick" tokenize -t "$data/tokenizer/trained/bl_p3.json" a@b.co)" = "4000 64 31 65 13 2533" ]
got=$(printf '%s\n' '{"messages":[{"role":"user","content":"hi"}],"kwargs":{"add_generation_prompt":true}}' '{"messages":5}' |
    "$wick" template --template "$data/template/templates/HuggingFaceTB-SmolLM2-135M-Instruct.jinja" --jsonl)
[ "$(printf '%s\n' "$got" | grep -c 'user\\nhi<|im_end|>\\n<|im_start|>assistant\\n')" = 1 ] || { echo "template: $got"; exit 1; }
[ "$(printf '%s\n' "$got" | grep -c '^{"error":')" = 1 ]
