#!/usr/bin/env python3
"""make.py > ids.jsonl: the token ids of conversations as transformers (5.23.0) gives them: apply_chat_template with published templates and
the trained tokenizers beside this folder. The first turn, the second, and a new chat, each with and without a system message."""
import json, os
from transformers import PreTrainedTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
PAIRS = [("bl_p3.json", "meta-llama-Llama-3-8B-Instruct", "<|begin_of_text|>", "<|eot_id|>"),
         ("bl_qwen.json", "Qwen-Qwen2.5-7B-Instruct", None, "<|im_end|>"),
         ("bl_qwen.json", "Qwen-Qwen3-0.6B", None, "<|im_end|>"),
         ("bl_digits.json", "HuggingFaceTB-SmolLM2-135M-Instruct", None, "<|im_end|>"),
         ("sp_gemma.json", "google-gemma-3-1b-it", "<bos>", "<eos>"),
         ("sp_llama2.json", "old-bofenghuang-vigogne-2-70b-chat", "<s>", "</s>"),
         ("sp_llama2.json", "old-mistralai-Mistral-Large-Instruct-2411-mistralai-v7-template", "<s>", "</s>"),
         ("sp_llama2.json", "microsoft-Phi-3.5-mini-instruct", "<s>", "</s>")]
SYSTEM = {"role": "system", "content": "Answer briefly.\n  Keep    spaces."}
FIRST = {"role": "user", "content": "what is the capital of spain?"}
ANSWER = {"role": "assistant", "content": "Madrid. Straßen, 東京 and\n\tcode:\n    return  1"}
SECOND = {"role": "user", "content": "What can i do there? Be detailed."}
NEW = {"role": "user", "content": "Hello 123"}

for tokenizer, template, bos, eos in PAIRS:
    t = PreTrainedTokenizerFast(tokenizer_file=os.path.join(HERE, "../tokenizer/trained", tokenizer), bos_token=bos, eos_token=eos)
    with open(os.path.join(HERE, "../template/templates", template + ".jinja"), newline="") as f:
        t.chat_template = f.read()
    for system in ([], [SYSTEM]):
        for turn, messages in (("first", [FIRST]), ("second", [FIRST, ANSWER, SECOND]), ("new", [NEW])):
            out = t.apply_chat_template(system + messages, add_generation_prompt=True, tokenize=True)
            ids = out["input_ids"] if not isinstance(out, list) else out
            print(json.dumps({"tokenizer": tokenizer, "template": template, "turn": turn, "bos_token": bos, "eos_token": eos,
                              "messages": system + messages, "ids": ids}, ensure_ascii=False))
