/* One turn of a chat: make the conversation fit, ask the model, show the answer as it grows, keep it. */
#include "chat.h"
#include "progress.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const chat *c, const char *before, const char *format, va_list args) {
    bool dim = c->terminal && isatty(STDERR_FILENO) && !getenv("NO_COLOR");
    fflush(stdout);
    fprintf(stderr, "%s%s", dim ? "\033[2m" : "", before);
    vfprintf(stderr, format, args);
    fprintf(stderr, "%s\n", dim ? "\033[0m" : "");
}

void chat_note(const chat *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    note(c, "", format, args);
    va_end(args);
}

void chat_complain(chat *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    note(c, "wick chat: ", format, args);
    va_end(args);
    c->failed = true;
}

/* ---------------------------------------------------------------- what the model is given */

typedef struct question {
    wick_generate_options generate;
    wick_message *messages;
    wick_strbuf text; /* without a chat format */
} question;

static void release(question *q) {
    wick_free(q->messages);
    wick_strbuf_release(&q->text);
}

/* Without a chat format the conversation is one text: what the user writes begins a line, what the model adds follows at once. */
static wick_status plain_text(const chat *c, size_t i_first, question *q, wick_error *err) {
    if (c->log.system) wick_strbuf_printf(&q->text, "%s\n", c->log.system);
    for (size_t i = i_first; i < c->log.n_message; i++) {
        if (i > i_first && c->log.messages[i].role == CHAT_USER) wick_strbuf_putc(&q->text, '\n');
        wick_strbuf_puts(&q->text, c->log.messages[i].content);
    }
    wick_strbuf_puts(&q->text, "");
    q->generate.prompt = q->text.data;
    return q->text.failed ? wick_fail_nomem(err) : WICK_OK;
}

static wick_status ask(const chat *c, size_t i_first, question *q, wick_error *err) {
    *q = (question){.generate = c->generate};
    q->generate.sampler.seed += c->n_answer;
    if (c->raw) return plain_text(c, i_first, q, err);
    if (!(q->messages = WICK_NEW_ARRAY(wick_message, c->log.n_message + 1))) return wick_fail_nomem(err);
    size_t n = 0;
    if (c->log.system) q->messages[n++] = (wick_message){"system", c->log.system};
    for (size_t i = i_first; i < c->log.n_message; i++)
        q->messages[n++] = (wick_message){chat_role_name(c->log.messages[i].role), c->log.messages[i].content};
    q->generate.messages = q->messages;
    q->generate.n_messages = n;
    return WICK_OK;
}

wick_status chat_prompt(const chat *c, size_t i_first, int32_t **ids, size_t *n, wick_error *err) {
    question q;
    wick_status status = ask(c, i_first, &q, err);
    if (status == WICK_OK) status = wick_generate_prompt(c->model, &q.generate, ids, n, err);
    release(&q);
    return status;
}

static wick_status count(const chat *c, size_t i_first, size_t *n, wick_error *err) {
    int32_t *ids = NULL;
    wick_status status = chat_prompt(c, i_first, &ids, n, err);
    wick_tokens_free(ids);
    return status;
}

/* The next message of the user after i; n_message: there is none. */
static size_t next_turn(const chat *c, size_t i) {
    do i++;
    while (i < c->log.n_message && c->log.messages[i].role != CHAT_USER);
    return i;
}

static const char *how_to_get_more(const chat *c) {
    const wick_model_info *m = wick_model_info_get(c->model);
    bool asked = m->endless || wick_session_capacity(c->session) < m->max_context;
    return asked ? "give --ctx a larger number" : "export the model with a larger --max_context_length";
}

/* Leaves out the oldest turns until prompt and answer fit. The system message stays. An answer is given an eighth of the context to
 * begin with (or what was asked for, up to a quarter). Once something must go, a quarter is made free, so that the turns after
 * this one find their beginning evaluated. */
static wick_status fit(chat *c, wick_error *err) {
    size_t capacity = (size_t)wick_session_capacity(c->session), n, i = c->i_first, room = capacity / 8;
    size_t most = c->generate.max_new_tokens > 0 ? (size_t)c->generate.max_new_tokens : 0;
    if (most) room = most < capacity / 4 ? most : capacity / 4;
    WICK_TRY(count(c, i, &n, err));
    if (n + room > capacity) room = capacity / 4;
    for (size_t next; n + room > capacity && (next = next_turn(c, i)) < c->log.n_message;) {
        i = next;
        WICK_TRY(count(c, i, &n, err));
    }
    if (n > capacity)
        return wick_fail(err, WICK_ELIMIT, "this message%s has %zu tokens, the context holds %zu: shorten it, or %s",
                         c->log.system ? " with the system message" : "", n, capacity, how_to_get_more(c));
    if (i > c->i_first)
        chat_note(c, "(the context of %zu tokens is full: the oldest %zu messages are left out from now on%s)", capacity, i,
                  c->log.system ? "; the system message stays" : "");
    c->i_first = i;
    return WICK_OK;
}

/* ---------------------------------------------------------------- showing the answer */

typedef struct answer {
    chat *c;
    wick_strbuf text;
    bool keep_parts; /* what there is of it goes to the store every two seconds */
    double kept;
    size_t i_message;
} answer;

/* C1 controls are C2 80..9F in UTF-8. */
void chat_print(const char *text, size_t size) {
    if (!isatty(STDOUT_FILENO)) {
        fwrite(text, 1, size, stdout);
    } else {
        for (size_t i = 0; i < size; i++) {
            unsigned char b = (unsigned char)text[i], next = i + 1 < size ? (unsigned char)text[i + 1] : 0;
            if (b == 0xc2 && next >= 0x80 && next < 0xa0)
                i++;
            else if ((b >= ' ' && b != 127) || b == '\n' || b == '\t')
                putchar(b);
        }
    }
    fflush(stdout);
}

static bool keep(chat *c, size_t i_message);

static void keep_part(answer *a) {
    double now = app_seconds();
    wick_error ignored;
    if (!a->keep_parts || now - a->kept < 2) return;
    a->kept = now;
    if (chat_log_add(&a->c->log, CHAT_ASSISTANT, a->text.data, true, &ignored) != WICK_OK) return;
    a->keep_parts = keep(a->c, a->i_message);
    chat_log_cut(&a->c->log, a->i_message);
}

static bool show_text(void *user, const char *text, size_t size) {
    answer *a = user;
    for (size_t i = 0; i < size; i++)
        if (text[i]) wick_strbuf_putc(&a->text, text[i]); /* messages are strings that end in NUL */
    chat_print(text, size);
    if (a->text.size) keep_part(a);
    return !chat_interrupt_seen();
}

static bool go_on(void *user, int32_t token, const float *logits) {
    (void)user, (void)token, (void)logits;
    return !chat_interrupt_seen();
}

static bool prefill_goes_on(void *user, double done, double total) {
    (void)user, (void)done, (void)total;
    return !chat_interrupt_seen();
}

const wick_model_info *chat_endless(const chat *c) {
    const wick_model_info *m = wick_model_info_get(c->model);
    return m->endless && wick_session_capacity(c->session) > m->max_context ? m : NULL;
}

void chat_show_meter(const chat *c) {
    const wick_model_info *endless = chat_endless(c);
    size_t used;
    wick_session_tokens(c->session, &used);
    int64_t capacity = endless ? endless->n_first + endless->n_last : wick_session_capacity(c->session);
    double part = (double)used / (double)capacity;
    char bar[11] = "..........";
    for (int i = 0; i < 10 && i < (int)(part * 10 + 0.5); i++) bar[i] = '#';
    if (endless && part > 1)
        chat_note(c, "context [%s] %zu tokens; the model sees the first %lld and the last %lld", bar, used, (long long)endless->n_first,
                  (long long)endless->n_last);
    else if (endless)
        chat_note(c, "context [%s] %zu of %lld tokens that the model sees at once; there is no end", bar, used, (long long)capacity);
    else
        chat_note(c, "context [%s] %zu of %lld tokens (%.0f %%)%s", bar, used, (long long)capacity, 100 * part,
                  part >= 0.8 ? "; nearly full: the oldest turns will be left out" : "");
}

static double rate(double n, double seconds) { return seconds > 0 ? n / seconds : 0; }

/* The lines that `ollama run --verbose` prints, for eyes and scripts that know them. */
static void show_statistics(const chat *c, const wick_generate_result *r) {
    double evaluated = (double)(r->n_prompt - r->n_cached), decoded = r->n_predicted > 1 ? (double)(r->n_predicted - 1) : 0;
    chat_note(c, "total duration:       %.3f s", r->first_seconds + r->predict_seconds);
    chat_note(c, "load duration:        %.3f s", c->load_seconds);
    chat_note(c, "prompt eval count:    %zu token(s), %zu of them evaluated before", r->n_prompt, r->n_cached);
    chat_note(c, "prompt eval duration: %.3f s", r->prompt_seconds);
    chat_note(c, "prompt eval rate:     %.2f tokens/s", rate(evaluated, r->prompt_seconds));
    chat_note(c, "first token after:    %.3f s", r->first_seconds);
    chat_note(c, "eval count:           %zu token(s)", r->n_predicted);
    chat_note(c, "eval duration:        %.3f s", r->predict_seconds);
    chat_note(c, "eval rate:            %.2f tokens/s", rate(decoded, r->predict_seconds));
}

/* ---------------------------------------------------------------- keeping it */

/* Commits message i. The first one of a chat brings the whole chat along. */
static bool keep(chat *c, size_t i_message) {
    wick_error err;
    if (!c->store) return false;
    wick_status status = c->id ? chat_store_put(c->store, c->id, &c->log, i_message, &err)
                               : chat_store_add(c->store, NULL, c->options->model, &c->log, &c->id, &err);
    if (status != WICK_OK) chat_complain(c, "this message is not kept: %s", err.message);
    return status == WICK_OK;
}

static void take_back(chat *c, size_t n) {
    wick_error err;
    chat_log_cut(&c->log, n);
    if (c->store && c->id && chat_store_cut(c->store, c->id, n, &err) != WICK_OK) chat_complain(c, "%s", err.message);
}

/* ---------------------------------------------------------------- the turn */

/* Once in a chat: that it goes on, and what the model has forgotten. */
static void note_sight(chat *c, size_t n) {
    const wick_model_info *m = chat_endless(c);
    if (!m || c->out_of_sight || (int64_t)n <= m->n_first + m->n_last) return;
    c->out_of_sight = true;
    chat_note(c, "(the chat goes on without an end, but from now on the model sees its first %lld tokens and the last %lld only)",
              (long long)m->n_first, (long long)m->n_last);
}

static void end_of_answer(chat *c, const wick_generate_result *r, bool stopped) {
    int64_t capacity = wick_session_capacity(c->session);
    if (stopped)
        chat_note(c, "(stopped; what was said is kept)");
    else if (r->finish == WICK_FINISH_LENGTH && (int64_t)(r->n_prompt + r->n_predicted) > capacity)
        chat_note(c, "(the context of %lld tokens is full: the answer ends here; the next turn leaves out the oldest ones)",
                  (long long)capacity);
    else if (r->finish == WICK_FINISH_LENGTH && c->terminal)
        chat_note(c, "(the answer has its %zu tokens)", r->n_predicted);
    note_sight(c, r->n_prompt + r->n_predicted);
    if (c->verbose) show_statistics(c, r);
    if (c->verbose || (c->terminal && !c->quiet)) chat_show_meter(c);
}

/* Answers the log as it is. False: there is no answer (*err says why; WICK_ECANCELED: the user stopped it before it began). */
static bool generate(chat *c, bool keep_parts, wick_error *err) {
    question q = {0};
    wick_generate_result r = {0};
    answer a = {.c = c, .keep_parts = keep_parts && c->store && c->id, .kept = app_seconds(), .i_message = c->log.n_message};
    wick_session_on_progress(c->session, prefill_goes_on, NULL);
    wick_status status = fit(c, err);
    if (status == WICK_OK) status = ask(c, c->i_first, &q, err);
    if (status == WICK_OK) {
        q.generate.on_text = show_text;
        q.generate.on_token = go_on;
        q.generate.user = &a;
        c->n_answer++;
        status = wick_generate(c->session, &q.generate, &r, err);
        if (a.text.size) putchar('\n');
        fflush(stdout);
    }
    bool stopped = chat_interrupt_seen();
    if (status == WICK_OK && stopped && !a.text.size) status = wick_fail(err, WICK_ECANCELED, "stopped before the answer began");
    if (status == WICK_OK && a.text.failed) status = wick_fail_nomem(err);
    if (status == WICK_OK) status = chat_log_add(&c->log, CHAT_ASSISTANT, a.text.data ? a.text.data : "", stopped, err);
    if (status == WICK_OK) {
        keep(c, a.i_message);
        end_of_answer(c, &r, stopped);
    }
    if (c->terminal) chat_interrupt_take(); /* elsewhere it ends the program, see verb_chat.c */
    wick_session_on_progress(c->session, NULL, NULL);
    wick_generate_result_release(&r);
    wick_strbuf_release(&a.text);
    release(&q);
    return status == WICK_OK;
}

void chat_say(chat *c, const char *text) {
    wick_error err = {0};
    size_t n = c->log.n_message;
    if (chat_log_add(&c->log, CHAT_USER, text, false, &err) != WICK_OK) {
        chat_complain(c, "%s", err.message);
        return;
    }
    keep(c, n);
    if (generate(c, true, &err)) return;
    take_back(c, n);
    if (err.code == WICK_ECANCELED)
        chat_note(c, "(stopped before the answer began; your message is taken back)");
    else
        chat_complain(c, "%s", err.message);
}

/* The old answer stays in the store until the new one is whole, and comes back if there is none. */
void chat_retry(chat *c) {
    wick_error err = {0};
    chat_message old = {0};
    size_t n = c->log.n_message;
    if (!n) {
        chat_complain(c, "there is nothing to answer again");
        return;
    }
    if (c->log.messages[n - 1].role == CHAT_ASSISTANT) old = c->log.messages[--c->log.n_message];
    if (!generate(c, !old.content, &err)) {
        if (err.code == WICK_ECANCELED)
            chat_note(c, "(stopped before the answer began; the old one stays)");
        else
            chat_complain(c, "%s", err.message);
        if (old.content) c->log.messages[c->log.n_message++] = old; /* its place was not given away */
        return;
    }
    wick_free(old.content);
}
