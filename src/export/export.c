/* The steps of an export: options, checkpoint, graph, program, file. Everything that the steps share lives in one struct and is
 * released in one place. */
#include "export/export.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_LENGTH = 2048 };

void wick_export_result_release(wick_export_result *result) {
    wick_free(result->output);
    *result = (wick_export_result){0};
}

/* ---------------------------------------------------------------- options */

/* "8,0": bits and group; "fp32", "" or NULL: as they are. */
static wick_status parse_embedding(const char *text, wick_scheme *scheme, wick_error *err) {
    *scheme = wick_scheme_fp32();
    if (!text || !*text || strcmp(text, "fp32") == 0) return WICK_OK;
    char *end;
    long bits = strtol(text, &end, 10), group = -1;
    if (end != text && *end == ',') group = strtol(end + 1, &end, 10);
    if (*end || bits != 8 || group < 0 || group > INT32_MAX)
        return wick_fail(err, WICK_EUNSUPPORTED, "embedding_quantize: expected \"8,0\", \"8,GROUP\" or \"fp32\", found \"%.50s\"", text);
    *scheme = wick_scheme_embedding8(group);
    return WICK_OK;
}

static wick_status parse_linear(const wick_export_options *o, wick_scheme *scheme, wick_error *err) {
    *scheme = wick_scheme_fp32();
    if (!o->qmode || strcmp(o->qmode, "fp32") == 0) return WICK_OK;
    if (strcmp(o->qmode, "8da4w") != 0)
        return wick_fail(err, WICK_EUNSUPPORTED, "qmode: expected \"8da4w\" or \"fp32\", found \"%.50s\"", o->qmode);
    if (o->backend == WICK_BACKEND_PORTABLE)
        return wick_fail(err, WICK_EUNSUPPORTED, "qmode 8da4w needs the XNNPACK backend; the portable backend takes \"fp32\"");
    if (o->group_size < 32 || o->group_size % 32)
        return wick_fail(err, WICK_EUNSUPPORTED, "group_size: XNNPACK takes multiples of 32, found %d", o->group_size);
    *scheme = wick_scheme_8da4w(o->group_size);
    return WICK_OK;
}

static wick_status plan_lengths(const wick_export_options *o, const wick_arch *a, wick_recipe *r, wick_error *err) {
    int64_t usual = a->max_context < USUAL_LENGTH ? a->max_context : USUAL_LENGTH;
    r->max_seq_len = o->max_seq_len ? o->max_seq_len : o->max_context && o->max_context < usual ? o->max_context : usual;
    r->max_context = o->max_context ? o->max_context : r->max_seq_len;
    if (r->max_seq_len < 1 || r->max_context > WICK_MAX_CONTEXT)
        return wick_fail(err, WICK_EINVAL, "max_seq_len and max_context must lie between 1 and %d", WICK_MAX_CONTEXT);
    if (r->max_seq_len > r->max_context)
        return wick_fail(err, WICK_EINVAL, "max_seq_len %lld is more than max_context %lld: a step cannot be longer than the cache",
                         (long long)r->max_seq_len, (long long)r->max_context);
    return WICK_OK;
}

static wick_status read_options(wick_export_job *e, wick_error *err) {
    const wick_export_options *o = e->options;
    if (!o->checkpoint || !*o->checkpoint) return wick_fail(err, WICK_EINVAL, "no checkpoint was given");
    WICK_TRY(parse_linear(o, &e->recipe.linear, err));
    WICK_TRY(parse_embedding(o->embedding_quantize, &e->recipe.embedding, err));
    WICK_TRY(wick_checkpoint_open(o->checkpoint, o->params, &e->checkpoint, err));
    WICK_TRY(plan_lengths(o, &e->checkpoint->arch, &e->recipe, err));
    wick_strbuf name = {0};
    if (o->output)
        wick_strbuf_puts(&name, o->output);
    else
        wick_strbuf_printf(&name, "%s%s%s-%s.pte", o->output_folder ? o->output_folder : "", o->output_folder ? "/" : "",
                           e->checkpoint->name, e->recipe.linear.kind == WICK_SCHEME_PLAIN ? "fp32" : o->qmode);
    e->output = wick_strbuf_take(&name, NULL);
    return e->output ? WICK_OK : wick_fail_nomem(err);
}

/* ---------------------------------------------------------------- what travels along */

static wick_status collect_metadata(wick_export_job *e, wick_error *err) {
    const wick_checkpoint *c = e->checkpoint;
    if (c->bos_id >= 0) WICK_TRY(wick_metadata_set_ints(&e->metadata, "get_bos_id", WICK_METADATA_INT, &c->bos_id, 1, err));
    if (c->n_eos) WICK_TRY(wick_metadata_set_ints(&e->metadata, "get_eos_ids", WICK_METADATA_INT, c->eos_ids, c->n_eos, err));
    return e->options->metadata ? wick_metadata_set_json(&e->metadata, e->options->metadata, err) : WICK_OK;
}

static void add_blob(wick_export_job *e, const char *key, const void *data, size_t size) {
    e->blobs[e->n_blob++] = (wick_lower_blob){key, wick_source_resident(data, size)};
}

static wick_status collect_blobs(wick_export_job *e, wick_error *err) {
    const wick_checkpoint *c = e->checkpoint;
    WICK_TRY(wick_export_tokenizer(e, err));
    wick_bytes tokenizer = wick_export_tokenizer_blob(e);
    if (tokenizer.size) add_blob(e, "wick.tokenizer", tokenizer.data, tokenizer.size);
    if (c->chat_template) add_blob(e, "wick.chat_template", c->chat_template, strlen(c->chat_template));
    if (c->generation) add_blob(e, "wick.generation", c->generation, strlen(c->generation));
    return WICK_OK;
}

/* ---------------------------------------------------------------- the file */

static void sha_init(void *state) { crypto_hash_sha256_init(state); }
static void sha_update(void *state, const void *data, uint64_t size) { crypto_hash_sha256_update(state, data, size); }
static void sha_finish(void *state, uint8_t digest[32]) { crypto_hash_sha256_final(state, digest); }

static wick_status write_file(wick_export_job *e, wick_error *err) {
    static const wick_sha256 sha256 = {sizeof(crypto_hash_sha256_state), sha_init, sha_update, sha_finish};
    wick_pte_write_options w = {.threads = e->options->threads, .sha256 = &sha256};
    if (e->hooks && e->hooks->progress) {
        w.progress = e->hooks->progress;
        w.user = e->hooks->user;
    }
    return wick_pte_write(&e->program, e->output, &w, err);
}

static void release(wick_export_job *e) {
    wick_pte_release(&e->program);
    wick_graph_free(e->graph);
    wick_quantizer_free(e->quantizer);
    wick_metadata_release(&e->metadata);
    wick_tokenizer_free(e->tokenizer);
    wick_free(e->tokenizer_problem);
    wick_checkpoint_close(e->checkpoint);
    wick_free(e->output);
}

wick_status wick_export(const wick_export_options *options, const wick_export_hooks *hooks, wick_export_result *result, wick_error *err) {
    double start = wick_os_seconds();
    wick_export_job e = {.options = options, .hooks = hooks};
    wick_status status;
    if (result) *result = (wick_export_result){0};
    WICK_CHECK_GOTO(read_options(&e, err));
    WICK_CHECK_GOTO(wick_quantizer_new(options->checkpoint_dtype, e.checkpoint->container, &e.quantizer, err));
    WICK_CHECK_GOTO(wick_build(e.checkpoint, e.quantizer, &e.recipe, &e.graph, err));
    WICK_CHECK_GOTO(collect_metadata(&e, err));
    WICK_CHECK_GOTO(collect_blobs(&e, err));
    wick_lower_options lower = {options->backend, &e.metadata, e.blobs, e.n_blob};
    WICK_CHECK_GOTO(wick_lower(e.graph, &lower, &e.program, err));
    WICK_CHECK_GOTO(wick_pte_file_size(&e.program, &e.file_size, err));
    WICK_CHECK_GOTO(wick_export_report(&e, err));
    if (!options->dry_run) WICK_CHECK_GOTO(write_file(&e, err));
    if (result) {
        *result = (wick_export_result){.output = e.output,
                                       .file_size = e.file_size,
                                       .weights_size = wick_export_weights_size(&e.program),
                                       .n_instructions = (int)e.program.methods[0].n_instr,
                                       .n_delegates = (int)e.program.methods[0].n_delegate,
                                       .seconds = wick_os_seconds() - start};
        e.output = NULL;
    }
out:
    release(&e);
    return status;
}
