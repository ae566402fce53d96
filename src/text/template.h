/* template.h: chat templates: from a conversation to the text that a model was trained to see.
 *
 * A template is Jinja source that travels with a model. What counts as right is what `transformers` renders
 * (render_jinja_template: immutable sandbox, trim_blocks, lstrip_blocks, loop controls, the generation block), byte for byte.
 * Templates and messages are hostile: parsing and rendering are bounded in depth, steps and output.
 *
 * Spans. Each stretch of the rendered text is known to come from the template or from a message, so that the text of a special
 * token inside a user's message stays text: encode template spans with PARSE_SPECIAL and message spans without.
 *
 * Values are JSON documents (jansson would do, but a template's own types are richer): the caller gives messages, tools and
 * extra variables as JSON text. */
#ifndef WICK_TEXT_TEMPLATE_H
#define WICK_TEXT_TEMPLATE_H

#include "base/error.h"

typedef struct wick_template wick_template;

/* Parses. WICK_EFORMAT: not a template (line and what was expected); WICK_EUNSUPPORTED: uses what Wick does not know. */
wick_status wick_template_new(const char *source, size_t size, wick_template **out, wick_error *err);
void wick_template_free(wick_template *t);

typedef struct wick_template_input {
    const char *messages;  /* JSON array of {"role", "content", ...}; terminated */
    const char *tools;     /* JSON array or NULL (none) */
    const char *variables; /* JSON object: add_generation_prompt, bos_token, eos_token, enable_thinking, ...; or NULL */
    const char *now;       /* "2026-01-15T12:34:56" for strftime_now; NULL: the local time */
} wick_template_input;

typedef struct wick_span {
    size_t size;           /* bytes of this stretch; spans lie one behind the other */
    bool from_message;
} wick_span;

typedef struct wick_rendered {
    char *text;            /* owned, terminated */
    size_t size;
    wick_span *spans;      /* owned; sizes add up to size */
    size_t n_span;
} wick_rendered;

/* WICK_EINVAL: the template refused (raise_exception; its words are in the message) or a value has the wrong kind. */
wick_status wick_template_render(const wick_template *t, const wick_template_input *input, wick_rendered *out, wick_error *err);
void wick_rendered_release(wick_rendered *r);

/* A built-in template for models that carry none, by a name such as "chatml", "llama3", "llama2", "gemma", "phi4"; NULL: unknown. */
const char *wick_template_builtin(const char *name);

#endif
