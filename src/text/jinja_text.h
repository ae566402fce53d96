/* jinja_text.h: what Python's str does, for filters and methods alike. */
#ifndef WICK_TEXT_JINJA_TEXT_H
#define WICK_TEXT_JINJA_TEXT_H

#include "text/jinja.h"

bool jinja_is_space(uint32_t cp);
bool jinja_text_is(jinja_value v, const char *text);
jinja_value jinja_lower(jinja_interp *j, const jinja_string *s);
jinja_value jinja_upper(jinja_interp *j, const jinja_string *s);
/* All cased characters are of one case, and there is one. */
bool jinja_is_case(const jinja_string *s, bool upper);
bool jinja_parse_int(jinja_interp *j, const jinja_string *s, int base, jinja_int *out);
bool jinja_parse_float(jinja_interp *j, const jinja_string *s, double *out);
/* A list of (key, value) tuples. */
jinja_value jinja_dict_items(jinja_interp *j, jinja_value dict, jinja_list_kind kind);
/* strip with chars (NULL: white space) at the left and right. */
jinja_value jinja_strip(jinja_interp *j, const jinja_string *s, const jinja_string *chars, bool left, bool right);
jinja_value jinja_replace(jinja_interp *j, const jinja_string *s, const jinja_string *from, const jinja_string *to, jinja_int count);
jinja_value jinja_pad(jinja_interp *j, const jinja_string *s, jinja_int width, const jinja_string *fill,
                      int side); /* side: -1 ljust, 0 center, 1 rjust */
jinja_value jinja_lines(jinja_interp *j, const jinja_string *s, bool keep);

/* ---- searching and asking (jinja_search.c), with Python's optional start and end */
jinja_value jinja_find(jinja_interp *j, const jinja_string *s, const jinja_args *args, bool last, bool must);
jinja_value jinja_count(jinja_interp *j, const jinja_string *s, const jinja_args *args);
jinja_value jinja_has_affix(jinja_interp *j, const jinja_string *s, const jinja_args *args, bool end);
/* The byte position of the first or last occurrence; SIZE_MAX: none. */
size_t jinja_position(jinja_interp *j, const jinja_string *s, const jinja_string *part, bool last);
bool jinja_all_chars(const jinja_string *s, bool (*is)(uint32_t cp), bool if_empty);
bool jinja_is_alnum(uint32_t cp);
bool jinja_is_alpha(uint32_t cp);
bool jinja_is_ascii(uint32_t cp);
bool jinja_is_decimal(uint32_t cp);
bool jinja_is_digit(uint32_t cp);
bool jinja_is_numeric(uint32_t cp);
bool jinja_is_printable(uint32_t cp); /* what repr shows as it is */
bool jinja_is_identifier(const jinja_string *s);
bool jinja_is_titled(const jinja_string *s);

/* One upper or title case of a character that becomes several: up to 3 code points; 0: it is one character, see utf8proc. */
int jinja_special_case(uint32_t cp, bool title, uint32_t out[3]);

/* clang-format off */ /* the list has no layout that is stable under it */
#define JINJA_TEXT_FILTERS(X)                                                                                                              \
    X(capitalize)                                                                                                                          \
    X(center)                                                                                                                              \
    X(escape)                                                                                                                              \
    X(filesize) X(format) X(indent) X(lower) X(replace) X(safe) X(striptags) X(title) X(trim) X(truncate) X(upper) X(urlencode)            \
        X(wordcount) X(wordwrap) X(xmlattr)
/* clang-format on */
#define JINJA_DECLARE(name) jinja_value jinja_f_##name(jinja_interp *j, jinja_value v, const jinja_args *args);
JINJA_TEXT_FILTERS(JINJA_DECLARE)
#undef JINJA_DECLARE

#endif
