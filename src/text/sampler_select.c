/* Selecting the best of many without sorting them all. */
#include "text/sampler_impl.h"

static bool better(wick_candidate a, wick_candidate b) { return a.key > b.key || (a.key == b.key && a.id < b.id); }

/* A heap with the worst on top. */
static void sift_down(wick_candidate *h, size_t n, size_t i) {
    wick_candidate x = h[i];
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && better(h[c], h[c + 1])) c++;
        if (!better(x, h[c])) break;
        h[i] = h[c];
    }
    h[i] = x;
}

/* In place: libc's qsort may allocate. */
void wick_select_sort(wick_candidate *c, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(c, n, i);
    while (n > 1) {
        wick_candidate worst = c[0];
        c[0] = c[--n];
        c[n] = worst;
        sift_down(c, n, 0);
    }
}

static wick_candidate middle_of(wick_candidate a, wick_candidate b, wick_candidate c) {
    if (better(a, b)) return better(b, c) ? b : better(a, c) ? c : a;
    return better(a, c) ? a : better(b, c) ? c : b;
}

static double weight_of(const float *weights, wick_candidate c) { return weights ? (double)weights[c.id] : 1; }

/* Moves what is better than a pivot to the front of c[0 .. n); *sum is its weight. Both parts hold something. */
static size_t split(wick_candidate *c, size_t n, const float *weights, double *sum) {
    wick_candidate pivot = middle_of(c[0], c[n / 2], c[n - 1]);
    size_t i = 0, j = n;
    for (;;) {
        while (better(c[i], pivot)) i++;
        do j--;
        while (better(pivot, c[j]));
        if (i >= j) break;
        wick_candidate x = c[i];
        c[i++] = c[j];
        c[j] = x;
    }
    *sum = 0;
    for (size_t k = 0; k < i; k++) *sum += weight_of(weights, c[k]);
    return i;
}

size_t wick_select_prefix(wick_candidate *c, size_t n, const float *weights, double target, bool beyond) {
    size_t low = 0, high = n;
    double sum = 0;
    for (int rounds = 0; high - low > 16 && rounds < 100; rounds++) { /* a bound for keys made to be slow */
        double part;
        size_t m = low + split(c + low, high - low, weights, &part);
        if (m == low || m == high) break;
        if (beyond ? sum + part > target : sum + part >= target)
            high = m;
        else
            low = m, sum += part;
    }
    wick_select_sort(c + low, high - low);
    for (; low < high; low++) {
        sum += weight_of(weights, c[low]);
        if (beyond ? sum > target : sum >= target) return low + 1;
    }
    return high; /* all together are not that much, or only by rounding */
}
