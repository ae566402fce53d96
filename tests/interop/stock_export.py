"""stock_export.py FOLDER NAME...|all [--stories BIN] [--gguf FILE]: programs made by the stock exporter (export_llama), once.

Nothing of the exporter is patched. FOLDER/NAME.json keeps the recipe that a program was made by, and stock's own words where it
refused: a recipe that has changed is made again. Prints the path of each program; what the exporter prints goes to FOLDER/NAME.log.
Cost: 15 to 25 CPU seconds a layer. Exit status 1 if a named program (not `all`) could not be made.
"""
import argparse
import contextlib
import json
import os
import sys
import traceback

import stock_models
from stock_recipes import RECIPES

STORIES3 = (1, 2, 4)  # the layers kept
VERSION = '1.5.1'     # of the package that tools/interop_env installs


def checkpoint(folder, model, args):
    """FOLDER/in/MODEL: model.pth, params.json, the adapter, the map of a pruned vocabulary, and the model as Hugging Face keeps it."""
    import torch
    place = os.path.join(folder, 'in', model)
    if same_note(os.path.join(place, 'done'), stock_models.args(model)):
        return place
    os.makedirs(place, exist_ok=True)
    if model in stock_models.RANDOM:
        weights, params = stock_models.random(model)
    elif model == 'smollm2':
        weights, params = stock_models.smollm2(args.gguf)
    else:
        weights, params = stock_models.stories(args.stories, STORIES3 if model == 'stories3' else None)
    torch.save(weights, os.path.join(place, 'model.pth'))
    json.dump(params, open(os.path.join(place, 'params.json'), 'w'))
    if model.startswith('stories'):
        stock_models.save_adapter(place, weights, params['n_layers'])
        kept = stock_models.kept_ids(params['vocab_size'])
        json.dump({str(i): old for i, old in enumerate(kept)}, open(os.path.join(place, 'kept.json'), 'w'))
    if stock_models.is_llama(model) and model not in ('stories', 'smollm2'):  # those have checkpoints of their own
        stock_models.save_hugging_face(os.path.join(place, 'hf'), weights, params)
    json.dump(stock_models.args(model), open(os.path.join(place, 'done'), 'w'))
    return place


def value_of(schema, key, value, place, name):
    """A recipe's value as LlmConfig wants it."""
    def lora():
        return schema.LoraConfig(adapter_checkpoint=os.path.join(place, 'adapter_model.safetensors'),
                                 adapter_config=os.path.join(place, 'adapter_config.json'))

    leaf = key.split('.')[-1]
    if leaf == 'dtype_override':
        return schema.DtypeOverride(value)
    if leaf == 'pt2e_quantize':
        return schema.Pt2eQuantize(value)
    if leaf == 'lora_config':
        return lora()
    if leaf == 'methods':
        return [schema.MethodConfig('forward'), schema.MethodConfig('lora_forward', lora_config=lora())]
    if leaf in ('input_prune_map', 'output_prune_map'):
        return os.path.join(place, value + '.json')
    return name + '_' + value if leaf.endswith('weights_file') else value


def config_of(name, folder, place):
    import executorch.extension.llm.export.config.llm_config as schema
    model, recipe = RECIPES[name]
    config = schema.LlmConfig()
    fields = {'base.model_class': schema.ModelType(stock_models.model_class(model)), 'base.checkpoint': os.path.join(place, 'model.pth'),
              'base.params': os.path.join(place, 'params.json'), 'base.metadata': '{"get_bos_id": 1, "get_eos_ids": [2]}',
              'export.output_dir': folder, 'export.output_name': name, **recipe}
    for key, value in fields.items():
        section = config
        *path, leaf = key.split('.')
        for part in path:
            section = getattr(section, part)
        setattr(section, leaf, value_of(schema, key, value, place, name))
    for section in (config.model, config.export, config):
        section.__post_init__()
    return config


def recipe(name):
    model, fields = RECIPES[name]
    return {'stock': VERSION, 'model': model, 'args': stock_models.args(model), 'fields': fields}


def same_note(path, note, *extra):
    """Whether the file holds `note`, and perhaps more by the names `extra`."""
    try:
        found = json.load(open(path))
    except (OSError, ValueError):
        return False
    for key in extra:
        found.pop(key, None)
    return found == json.loads(json.dumps(note))


def recorded(folder, name):
    """What FOLDER knows of a recipe: None if it was not tried as it stands now."""
    path = os.path.join(folder, name + '.json')
    if not same_note(path, recipe(name), 'refused'):
        return None
    note = json.load(open(path))
    return note if 'refused' in note or os.path.exists(os.path.join(folder, name + '.pte')) else None


@contextlib.contextmanager
def output_to(path):
    """Everything that this process prints, its C++ libraries too, goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with open(path, 'w') as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, old in zip((1, 2), kept):
            os.dup2(old, fd)
            os.close(old)


def make(folder, name, args):
    print('wick: the stock exporter makes %s' % name, file=sys.stderr, flush=True)
    note = recipe(name)
    place = checkpoint(folder, RECIPES[name][0], args)
    with output_to(os.path.join(folder, name + '.log')):
        import torch
        from executorch.examples.models.llama.export_llama_lib import export_llama
        torch.set_num_threads(1)
        torch._dynamo.reset()
        torch.manual_seed(0)
        try:
            export_llama(config_of(name, folder, place))
        except (Exception, SystemExit) as e:  # whatever the exporter raises is its answer
            traceback.print_exc()
            note['refused'] = '%s: %s' % (type(e).__name__, ' '.join(str(e).split())[:300])
    json.dump(note, open(os.path.join(folder, name + '.json'), 'w'))
    return note


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('names', nargs='+')
    parser.add_argument('--stories')
    parser.add_argument('--gguf')
    args = parser.parse_args()
    folder, bad = os.path.abspath(args.folder), False
    names = [n for n in RECIPES if not n.startswith('big_')] if args.names == ['all'] else args.names
    os.makedirs(folder, exist_ok=True)
    args.stories, args.gguf = (path and os.path.abspath(path) for path in (args.stories, args.gguf))
    os.chdir(folder)  # where the exporter leaves files of its own
    for name in names:
        note = recorded(folder, name) or make(folder, name, args)
        if 'refused' in note:
            print('stock refuses %s: %s' % (name, note['refused']), file=sys.stderr, flush=True)
            bad |= args.names != ['all']
        else:
            print(os.path.join(folder, name + '.pte'), flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
