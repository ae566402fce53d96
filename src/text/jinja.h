/* jinja.h: a sandboxed interpreter for chat templates.
 *
 * A template is data that came with a model: it is run with fuel, a depth, a memory and an output limit, and it can reach
 * nothing but the values it is given. It renders what jinja2's immutable sandbox does as transformers sets it up (trim_blocks,
 * lstrip_blocks, loop controls, `generation` blocks), byte for byte.
 *
 *   source --jinja_lex--> tokens --jinja_parse--> tree --jinja_eval--> text, and which bytes of it came from the user
 *
 * Marks. Each string may carry one mark per byte: "this came from a message". Joining, slicing and trimming keep marks exactly;
 * what builds a new text from a marked one (upper, replace) marks all of it. So the tokenizer can be told which special tokens
 * are the template's own and which are only text that a user typed.
 *
 * Memory is one arena for a template and one for each rendering; nothing is freed singly. Errors leave through one longjmp to the
 * entry point: an interpreter's stack holds nothing else that would need releasing. */
#ifndef WICK_TEXT_JINJA_H
#define WICK_TEXT_JINJA_H

#include "base/error.h"

#include <setjmp.h>

enum { JINJA_MAX_DEPTH = 200, JINJA_MAX_PARSE_DEPTH = 120, JINJA_MAX_SOURCE = 1 << 20 };
#define JINJA_MAX_ARENA  ((size_t)48 << 20)
#define JINJA_MAX_OUTPUT ((size_t)8 << 20)
#define JINJA_FUEL       8000000u

/* ---- arena with the error exit */
typedef struct jinja_chunk jinja_chunk;
typedef struct jinja_arena {
    jinja_chunk *chunks;
    char *at, *end;
    size_t total;
    uint32_t fuel;
    int depth;
    jmp_buf exit;
    wick_status status;
    wick_error *err;
} jinja_arena;

void *jinja_alloc(jinja_arena *a, size_t n); /* zeroed */
void jinja_arena_release(jinja_arena *a);
_Noreturn void jinja_fail(jinja_arena *a, wick_status status, const char *format, ...) WICK_PRINTF(3, 4);
/* Spends steps; fails when there are none left. */
void jinja_spend(jinja_arena *a, size_t steps);

/* ---- values */
typedef __int128 jinja_int; /* Python's integers have no bound; beyond this one they are an error */

typedef enum jinja_type {
    J_UNDEFINED,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STRING,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_NAMESPACE,
    J_MACRO,
    J_FUNCTION,
    J_METHOD,
    J_LOOP,
    J_CYCLER,
    J_JOINER
} jinja_type;

typedef struct jinja_string {
    const char *s;
    const uint8_t *marks; /* [n] or NULL: nothing is marked */
    size_t n;
} jinja_string;

/* How a list prints: as itself, or as the Python object that it stands for. */
typedef enum jinja_list_kind { J_PLAIN, J_RANGE, J_GENERATOR, J_KEYS, J_VALUES, J_ITEMS } jinja_list_kind;

typedef struct jinja_value jinja_value;
typedef struct jinja_list {
    jinja_value *items;
    size_t n, cap;
    jinja_list_kind kind;
    jinja_int range[3];
    const char *broken; /* GENERATOR: the type that it should have walked through, which fails only when somebody walks */
} jinja_list;

typedef struct jinja_dict {
    jinja_value *keys, *values; /* in order of insertion */
    size_t n, cap;
} jinja_dict;

struct jinja_node;
typedef struct jinja_scope jinja_scope;
typedef struct jinja_macro {
    const struct jinja_node *node;
    jinja_scope *scope;
} jinja_macro;

typedef struct jinja_loop {
    jinja_list *items;
    size_t i;
    int depth;
    const struct jinja_node *node; /* recursive loops: what loop(...) runs */
    jinja_scope *scope;
    jinja_list *changed;
} jinja_loop;

typedef struct jinja_method {
    jinja_value *self;
    int id;
} jinja_method;

typedef struct jinja_cycler {
    jinja_list *items;
    size_t i;
} jinja_cycler;

struct jinja_value {
    jinja_type type;
    bool safe; /* STRING: markup that escape leaves alone */
    union {
        bool b;
        double f;
        int id; /* FUNCTION */
        jinja_string *s;
        jinja_list *l;
        jinja_dict *d;
        jinja_macro *macro;
        jinja_method *method;
        jinja_loop *loop;
        jinja_cycler *cycler;
        const char *name; /* UNDEFINED: of what, for messages */
        jinja_int *i;
    } u;
};

/* ---- building text */
typedef struct jinja_buffer {
    char *s;
    uint8_t *marks; /* NULL until something marked is added */
    size_t n, cap;
} jinja_buffer;

void jinja_add(jinja_arena *a, jinja_buffer *b, const char *s, size_t n, bool marked);
void jinja_add_string(jinja_arena *a, jinja_buffer *b, const jinja_string *s);
void jinja_puts(jinja_arena *a, jinja_buffer *b, const char *s);
jinja_value jinja_text(jinja_arena *a, const jinja_buffer *b);

/* ---- making values */
static inline jinja_value jinja_none(void) { return (jinja_value){.type = J_NONE}; }
static inline jinja_value jinja_bool(bool b) { return (jinja_value){.type = J_BOOL, .u.b = b}; }
static inline jinja_value jinja_float(double f) { return (jinja_value){.type = J_FLOAT, .u.f = f}; }
static inline jinja_value jinja_undefined(const char *name) { return (jinja_value){.type = J_UNDEFINED, .u.name = name}; }
jinja_value jinja_integer(jinja_arena *a, jinja_int i);
jinja_value jinja_str(jinja_arena *a, const char *s, size_t n, bool marked);
jinja_value jinja_cstr(jinja_arena *a, const char *s);
jinja_value jinja_slice_of(jinja_arena *a, const jinja_string *s, size_t from, size_t to); /* keeps marks, shares bytes */
jinja_value jinja_new_list(jinja_arena *a, jinja_type type, jinja_list_kind kind);
void jinja_push(jinja_arena *a, jinja_list *l, jinja_value v);
jinja_value jinja_new_dict(jinja_arena *a);
void jinja_put(jinja_arena *a, jinja_dict *d, jinja_value key, jinja_value v);
const jinja_value *jinja_get(jinja_arena *a, const jinja_dict *d, jinja_value key); /* NULL: absent */
const jinja_value *jinja_get_text(const jinja_dict *d, const char *key, size_t n);

/* ---- asking values */
bool jinja_true(const jinja_value *v);
bool jinja_equal(jinja_arena *a, jinja_value x, jinja_value y);
/* < 0, 0, > 0; fails for what Python does not order. */
int jinja_order(jinja_arena *a, jinja_value x, jinja_value y, const char *op);
bool jinja_is_number(const jinja_value *v);            /* bool too */
bool jinja_as_int(const jinja_value *v, jinja_int *i); /* bool and int */
double jinja_as_float(const jinja_value *v);
bool jinja_any_mark(const jinja_string *s);
const char *jinja_type_name(const jinja_value *v);
size_t jinja_char_count(const jinja_string *s);
/* What a for loop sees; fails for what is not iterable. */
jinja_list *jinja_iterate(jinja_arena *a, jinja_value v);
bool jinja_is_sequence(const jinja_value *v); /* list or tuple */

/* ---- printing: str(), repr(), json.dumps() */
void jinja_print(jinja_arena *a, jinja_buffer *b, jinja_value v);
void jinja_repr(jinja_arena *a, jinja_buffer *b, jinja_value v);
jinja_value jinja_to_text(jinja_arena *a, jinja_value v);
typedef struct jinja_json_options {
    bool ascii, sort;
    const jinja_string *indent, *item, *key; /* indent NULL: one line; separators NULL: Python's */
} jinja_json_options;
void jinja_json(jinja_arena *a, jinja_buffer *b, jinja_value v, const jinja_json_options *o, int level);
void jinja_print_int(jinja_buffer *b, jinja_arena *a, jinja_int i);
void jinja_print_float(jinja_buffer *b, jinja_arena *a, double f);

/* ---- tokens and tree */
typedef enum jinja_token_type {
    T_DATA,
    T_VAR_BEGIN,
    T_VAR_END,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_OP,
    T_END
} jinja_token_type;
typedef struct jinja_token {
    jinja_token_type type;
    int line;
    const char *s; /* DATA, NAME, OP (its spelling), STRING (decoded) */
    size_t n;
    jinja_int i;
    double f;
} jinja_token;
jinja_token *jinja_lex(jinja_arena *a, const char *source, size_t n, size_t *n_token);

typedef enum jinja_node_kind {
    N_CONST,
    N_NAME,
    N_NSREF,
    N_TUPLE,
    N_LIST,
    N_DICT,
    N_COND,
    N_OR,
    N_AND,
    N_NOT,
    N_COMPARE,
    N_BINARY,
    N_NEG,
    N_POS,
    N_CONCAT,
    N_ATTR,
    N_ITEM,
    N_SLICE,
    N_CALL,
    N_FILTER,
    N_TEST,
    N_DATA,
    N_PRINT,
    N_FOR,
    N_IF,
    N_SET,
    N_SET_BLOCK,
    N_MACRO,
    N_CALL_BLOCK,
    N_FILTER_BLOCK,
    N_WITH,
    N_SCOPE,
    N_AUTOESCAPE,
    N_BREAK,
    N_CONTINUE
} jinja_node_kind;

typedef struct jinja_node {
    jinja_node_kind kind;
    int line, op; /* op: BINARY, COMPARE: of each operand; FILTER, TEST, CALL: number of the builtin */
    const char *name;
    size_t name_size;
    struct jinja_node *a, *b, *c;      /* operands */
    struct jinja_node **items, **more; /* lists: operands, arguments, bodies */
    size_t n_item, n_more;
    const char **keys; /* keyword arguments: names of the last n_key items */
    size_t n_key;
    bool flag;  /* FOR: recursive; CALL: has *args, **kwargs as b, c */
    bool folds; /* there is a slice in it, so that it matters whether it is worked out before it runs: see jinja_fold.c */
    jinja_value value;
} jinja_node;

/* The body of a template; fails through the arena. */
jinja_node *jinja_parse(jinja_arena *a, jinja_token *tokens, size_t n);
/* Sets `folds` in a whole tree. */
void jinja_mark_folds(jinja_node *root);
/* Whether a node by itself keeps an expression from being worked out beforehand: some filters are given the names of the moment. */
bool jinja_needs_names(const jinja_node *n);
/* Whether Python could write the value down as a literal. `depth`: 0. */
bool jinja_is_literal(const jinja_value *v, int depth);

/* ---- builtins */
typedef struct jinja_args {
    jinja_value *items;
    size_t n;
    const char **names; /* [n_named], values in named */
    jinja_value *named;
    size_t n_named;
} jinja_args;

typedef struct jinja_interp {
    jinja_arena *a;
    jinja_buffer *out;
    jinja_scope *globals;
    const char *now; /* "YYYY-MM-DDTHH:MM:SS" or NULL */
    bool autoescape;
    bool folding; /* what is being worked out is worked out beforehand */
} jinja_interp;

/* ---- operators (jinja_operators.c); `op` as in the nodes */
/* + - * / % and d, for //, and p, for the power. */
jinja_value jinja_binary(jinja_interp *j, int op, jinja_value x, jinja_value y);
/* = ! < > and l, g for <=, >=, and i for in; all else is not in. */
bool jinja_compare(jinja_interp *j, int op, jinja_value x, jinja_value y);
bool jinja_contains(jinja_interp *j, jinja_value whole, jinja_value part);
jinja_value jinja_sign(jinja_interp *j, jinja_value v, bool minus);

int jinja_filter_id(const char *name, size_t n); /* -1: unknown */
int jinja_test_id(const char *name, size_t n);
jinja_value jinja_run_filter(jinja_interp *j, int id, jinja_value v, const jinja_args *args);
bool jinja_run_test(jinja_interp *j, int id, jinja_value v, const jinja_args *args);
int jinja_method_id(jinja_type type, const char *name, size_t n); /* -1: no such method */
jinja_value jinja_run_method(jinja_interp *j, int id, jinja_value self, const jinja_args *args);
jinja_value jinja_run_function(jinja_interp *j, int id, const jinja_args *args);
int jinja_function_id(const char *name, size_t n);
jinja_value jinja_attribute(jinja_interp *j, jinja_value v, const char *name, size_t n);
jinja_value jinja_subscript(jinja_interp *j, jinja_value v, jinja_value key);
jinja_value jinja_percent(jinja_interp *j, const jinja_string *format, jinja_value args);
jinja_value jinja_format(jinja_interp *j, const jinja_string *format, const jinja_args *args);
jinja_value jinja_strftime(jinja_interp *j, const jinja_string *format);
/* The i-th argument or the one of a name; undefined with name NULL if neither is given. */
jinja_value jinja_arg(const jinja_args *args, size_t i, const char *name);
bool jinja_given(jinja_value v);
const jinja_string *jinja_need_string(jinja_interp *j, jinja_value v, const char *what);
jinja_int jinja_need_int(jinja_interp *j, jinja_value v, const char *what);

/* Whether the body of a macro speaks of varargs, kwargs or caller. */
bool jinja_macro_uses(const jinja_macro *m, const char *name);
/* Runs a tree with variables; the text goes to out. */
void jinja_render(jinja_interp *j, const jinja_node *root, const jinja_dict *variables);

#endif
