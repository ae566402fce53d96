/* jinja_filters.h: how filters take their arguments, and the filters of jinja_sequences.c, which the table in jinja_filters.c names. */
#ifndef WICK_TEXT_JINJA_FILTERS_H
#define WICK_TEXT_JINJA_FILTERS_H

#include "text/jinja.h"

/* There, and not none. */
bool jinja_given_value(jinja_value v);
/* Argument i or the one of that name: whether it is there and true; an integer, or the fallback. */
bool jinja_flag_arg(const jinja_args *args, size_t i, const char *name);
jinja_int jinja_int_arg(jinja_interp *j, const jinja_args *args, size_t i, const char *name, jinja_int fallback);
/* What a for loop takes. */
bool jinja_is_iterable(const jinja_value *v);

typedef jinja_value jinja_filter_fn(jinja_interp *j, jinja_value v, const jinja_args *args);
jinja_filter_fn jinja_f_list, jinja_f_first, jinja_f_last, jinja_f_reverse, jinja_f_join, jinja_f_sort, jinja_f_groupby, jinja_f_dictsort,
    jinja_f_unique, jinja_f_min, jinja_f_max, jinja_f_sum, jinja_f_batch, jinja_f_slice, jinja_f_items, jinja_f_map, jinja_f_select,
    jinja_f_reject, jinja_f_selectattr, jinja_f_rejectattr;

#endif
