#include "npy.h"

#include <string.h>

enum { HEADER = 128 };

static bool write_header(app_npy *npy) {
    char text[HEADER - 10 + 1];
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", npy->n_row, npy->n_column);
    if (n < 0 || n >= HEADER - 10) return false;
    memset(text + n, ' ', (size_t)(HEADER - 10 - n));
    text[HEADER - 11] = '\n';
    static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER - 10, 0};
    rewind(npy->file);
    return fwrite(magic, 1, sizeof magic, npy->file) == sizeof magic && fwrite(text, 1, HEADER - 10, npy->file) == HEADER - 10;
}

bool app_npy_open(app_npy *npy, const char *path, size_t n_column) {
    *npy = (app_npy){fopen(path, "wb"), 0, n_column};
    return npy->file && write_header(npy);
}

bool app_npy_row(app_npy *npy, const float *row) {
    npy->n_row++;
    return fwrite(row, sizeof *row, npy->n_column, npy->file) == npy->n_column;
}

bool app_npy_close(app_npy *npy) {
    if (!npy->file) return true;
    bool ok = write_header(npy);
    ok = fclose(npy->file) == 0 && ok;
    npy->file = NULL;
    return ok;
}
