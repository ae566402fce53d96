#!/bin/sh
# The command line as a user or a script meets it: outputs, exit statuses, error sentences, nothing left behind.
build=$1 source=$2
wick=$build/wick
model=$source/examples/models/stories260K/stories260K.bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0

ok() { # ok NAME CONDITION...
    name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; fi
}
status_is() { # status_is N COMMAND...: output and errors are kept in $work/out and $work/err
    want=$1
    shift
    "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ "$got" = "$want" ] || { echo "  status $got, expected $want: $*"; head -3 "$work/err"; return 1; }
}
out_has() { grep -q -e "$1" "$work/out" || { echo "  no '$1' in: $(head -c 300 "$work/out")"; return 1; }; }
err_has() { grep -q -e "$1" "$work/err" || { echo "  no '$1' in: $(head -c 300 "$work/err")"; return 1; }; }
json() { # json EXPRESSION: a Python expression over the object j in $work/out
    python3 -c "import json,sys; t=open('$work/out').read(); j=json.loads(t); sys.exit(0 if ($1) else 1)" || { head -c 300 "$work/out"; return 1; }
}
empty() { [ ! -s "$1" ]; }
no_leftovers() { [ -z "$(ls -A "$work" | grep partial)" ]; }

ok "version" status_is 0 "$wick" --version
ok "version text" out_has "^wick [0-9]"
ok "no verb" status_is 2 "$wick"
ok "unknown verb" status_is 2 "$wick" rum
ok "unknown verb suggests" err_has "did you mean 'run'"
ok "help" status_is 0 "$wick" run --help
ok "help lists options" out_has "max_new_tokens"
ok "unknown option" status_is 2 "$wick" run --frobnicate
ok "range of an option" status_is 2 "$wick" run x.pte hello --temperature -1

ok "export" status_is 0 "$wick" export "$model" -o "$work/q.pte"
ok "export prints the path alone" out_has "^$work/q.pte\$"
ok "export leaves no partial file" no_leftovers
ok "export json" status_is 0 "$wick" export "$model" -o "$work/f.pte" --qmode fp32 --embedding_quantize fp32 --json --quiet
ok "export json fields" json "j['file_size'] > 1000000 and j['instructions'] == 30 and j['delegates'] == 6"
ok "export quiet" empty "$work/err"
ok "dry run" status_is 0 "$wick" export "$model" -o "$work/none.pte" --dry_run
ok "dry run names what stays float" out_has "stays fp32"
ok "dry run writes nothing" [ ! -e "$work/none.pte" ]
ok "override" status_is 0 "$wick" export "$model" -o "$work/p.pte" +quantization.qmode=8da4w export.max_seq_length=64 export.max_context_length=64
ok "unknown key" status_is 1 "$wick" export "$model" -o "$work/none.pte" quantization.qmod=8da4w
ok "unknown key suggests" err_has "qmode"
ok "no checkpoint" status_is 1 "$wick" export "$work/absent.bin" -o "$work/none.pte"
ok "no checkpoint names it" err_has "absent.bin"
printf 'garbage garbage garbage' >"$work/garbage"
ok "garbage checkpoint" status_is 1 "$wick" export "$work/garbage" -o "$work/none.pte"
ok "failed export leaves nothing" [ ! -e "$work/none.pte" ]
ok "same bytes on any thread count" sh -c "'$wick' export '$model' -o '$work/t.pte' --threads 3 --quiet >/dev/null && cmp -s '$work/t.pte' '$work/q.pte'"

ok "run" status_is 0 "$wick" run "$work/q.pte" --raw "Once upon a time" --temperature 0 -n 20
ok "run answers" out_has "there was a little girl"
ok "run json" status_is 0 "$wick" run "$work/f.pte" --tokens 1,403,407 --max_new_tokens 24 --temperature 0 --ignore_eos --json
ok "run json object" json "len(j['tokens']) == 24 and j['prompt_tokens'] == [1,403,407] and j['finish_reason'] == 'length' and isinstance(j['text'], str)"
ok "run json stats" json "all(k in j['stats'] for k in ['load_ms','verify_ms','raise_ms','pack_ms','prompt_n','prompt_ms','ttft_ms','predicted_n','predicted_ms','peak_rss'])"
ok "load phases make up the load" json "(lambda t: 0 < t['verify_ms'] + t['raise_ms'] + t['pack_ms'] <= t['load_ms'] and min(t['verify_ms'], t['raise_ms'], t['pack_ms']) > 0)(j['stats'])"
ok "greedy text as recorded" json "j['tokens'][:10] == [261, 378, 432, 383, 286, 261, 376, 298, 315, 421]"
cp "$work/out" "$work/first.json"
for plan in raised mixed vm; do
    ok "plan $plan" status_is 0 "$wick" run "$work/f.pte" --tokens 1,403,407 -n 24 --temperature 0 --ignore_eos --json --plan $plan
    ok "plan $plan agrees" json "j['tokens'] == json.load(open('$work/first.json'))['tokens']"
done
ok "forced" status_is 0 "$wick" run "$work/f.pte" --tokens 1 --force 5,6,7,8 -n 3 --json --logits "$work/l.npy" --ignore_eos
ok "forced tokens" json "j['tokens'] == [5,6,7]"
ok "logits shape" sh -c "head -c 128 '$work/l.npy' | grep -aq '(3, 512)' && [ \$(wc -c <'$work/l.npy') = \$((128 + 3 * 512 * 4)) ]"
ok "seeded sampling repeats" sh -c "a=\$('$wick' run '$work/q.pte' --raw Once -n 30 --seed 7) && b=\$('$wick' run '$work/q.pte' --raw Once -n 30 --seed 7 --threads 2) && [ \"\$a\" = \"\$b\" ]"
ok "stock's flags" status_is 0 "$wick" run --model_path="$work/q.pte" --prompt="Once" --temperature=0 --seq_len=16 --cpu_threads=1 --num_bos=1 --warmup --et_stats
ok "observer line" err_has '^PyTorchObserver {"prefill_token_per_sec":'
printf 'Once upon' | "$wick" run "$work/q.pte" --raw - --temperature 0 -n 5 >"$work/out" 2>&1
ok "prompt from a pipe" out_has "a time"
ok "bad token id" status_is 1 "$wick" run "$work/f.pte" --tokens 1,99999 --json
ok "bad token id says so" json "'error' in j and '99999' in j['error']"
ok "token list" status_is 2 "$wick" run "$work/f.pte" --tokens 1,x
ok "prompt too long" status_is 1 "$wick" run "$work/p.pte" --tokens "$(seq -s, 1 100)" --json
ok "prompt too long says so" json "'100' in j['error'] and '64' in j['error']"
ok "not a model" status_is 1 "$wick" run "$work/garbage" --raw hello
ok "not a model names the file" err_has "garbage"

ok "inspect" status_is 0 "$wick" inspect "$work/q.pte" --plan
ok "inspect counts" out_has "30"
ok "inspect raised" out_has "runs raised"
ok "inspect json" status_is 0 "$wick" inspect "$work/q.pte" --plan --json
ok "inspect json fields" json "j['methods'][0]['plan'] == 'raised' and j['methods'][0]['left'] == [] and j['metadata']['get_vocab_size'] == [512]"
ok "inspect json speed" json "(lambda s: s['tokens_per_second_at_beginning'] > s['tokens_per_second_at_end'] > 0 and s['weights_per_token'] == j['memory']['packed_weights'])(j['speed'])"
ok "inspect json devices" json "any(m.get('backend') == 'XnnpackBackend' and 'XNNPACK' in m['device'] for m in j['methods'][0]['made_for'])"
# Our export and the stock exporter's of the same weights are the same graph, apart from how rope pairs its lanes.
"$wick" export "$model" -o "$work/h.pte" --max_seq_length 128 --max_context_length 128 --quiet >"$work/out"
for file in "$work/h.pte" "$source/tests/data/stock/st_8da4w_rec.pte"; do
    "$wick" inspect "$file" --plan --json | python3 -c "import json,sys; print(json.load(sys.stdin)['methods'][0]['graph'].replace('style=interleaved','style=half'))"
done >"$work/graphs"
ok "same graph as stock's export" sh -c "n=\$(wc -l <'$work/graphs'); [ \"\$n\" -gt 100 ] && [ \"\$(head -n \$((n / 2)) '$work/graphs')\" = \"\$(tail -n \$((n / 2)) '$work/graphs')\" ]"
ok "inspect --no_speed" status_is 0 "$wick" inspect "$work/f.pte" --no_speed
ok "inspect --no_speed measures nothing" sh -c "! grep -q 'this machine' '$work/out'"
ok "inspect remarks on tied tables" out_has "1 table is stored twice"
ok "inspect checkpoint" status_is 0 "$wick" inspect "$model" --json
ok "inspect checkpoint fields" json "len(j['tensors']) > 10"
ok "inspect garbage" status_is 1 "$wick" inspect "$work/garbage"
ok "inspect garbage is one sentence" [ "$(wc -l <"$work/err")" = 1 ]

# The same template in every place where one is kept.
cat >"$work/t.jinja" <<'END'
{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}{% endfor %}{{ strftime_now('%Y') }}{{ raise_exception('no') if tools }}{{ bos }}
END
mkdir "$work/folder" "$work/hf"
cp "$source"/tests/data/container/micro_hf/* "$work/hf"
cp "$work/t.jinja" "$work/hf/chat_template.jinja"
"$wick" export "$work/hf" -o "$work/t.pte" --quiet >"$work/out" 2>&1
python3 - "$work" <<'END'
import json, struct, sys
work = sys.argv[1]
text = open(work + "/t.jinja").read()
json.dump({"chat_template": text}, open(work + "/chat_template.json", "w"))
named = [{"name": "tool_use", "template": "wrong"}, {"name": "default", "template": text}]
json.dump({"bos_token": "<s>", "chat_template": named}, open(work + "/folder/tokenizer_config.json", "w"))
field = lambda b: struct.pack("<Q", len(b)) + b
with open(work + "/t.gguf", "wb") as f:
    f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + field(b"tokenizer.chat_template") + struct.pack("<I", 8) + field(text.encode()))
END
requests='{"messages":[{"role":"user","content":" h\u00e9 "}],"kwargs":{"bos":"<s>"},"now":"2026-01-15T12:34:56"}
{"messages":[],"tools":[{}]}
{"messages":1}
nonsense
{"messages":[],"tools":null,"kwargs":null,"now":"2027-01-15T12:34:56"}'
for file in t.jinja chat_template.json folder t.gguf t.pte; do
    echo "$requests" | "$wick" template --template "$work/$file" --jsonl >"$work/lines" 2>"$work/err"
    python3 -c "import json; print(json.dumps([json.loads(l) for l in open('$work/lines')]))" >"$work/out"
    ok "template $file" json "len(j) == 5 and j[0] == {'text': '<|user|>h\u00e92026<s>'} and 'no' in j[1]['error'] and all(list(x) == ['error'] for x in j[1:4]) and j[4] == {'text': '2027'}"
done
echo '{% if %}' >"$work/bad.jinja"
ok "template unreadable" sh -c "echo '{}' | '$wick' template --template '$work/bad.jinja' --jsonl >'$work/out' 2>'$work/err'; [ \$? = 1 ]"
ok "template unreadable answers" json "'line 1' in j['error']"
ok "template absent" status_is 1 "$wick" template --template "$work/none.jinja" --jsonl
ok "template none in it" status_is 1 "$wick" template --template "$work/q.pte" --jsonl
ok "template no option" status_is 2 "$wick" template

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
