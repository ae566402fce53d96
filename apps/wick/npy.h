/* npy.h: NumPy's array file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), version 1.0, fp32
 * [rows, columns], written row by row. */
#ifndef WICK_APP_NPY_H
#define WICK_APP_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct app_npy {
    FILE *file;
    size_t n_row, n_column;
} app_npy;

bool app_npy_open(app_npy *npy, const char *path, size_t n_column);
bool app_npy_row(app_npy *npy, const float *row);
/* Writes the number of rows into the header. */
bool app_npy_close(app_npy *npy);

#endif
