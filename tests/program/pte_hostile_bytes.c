/* Files whose bytes lie: headers, references, tables, vectors, strings. */
#include "pte_hostile.h"

#include "base/bytes.h"

#include <unistd.h>

static void cut_half(uint8_t *file, size_t *size) { (void)file, *size /= 2; }
static void cut_tail(uint8_t *file, size_t *size) { (void)file, *size -= 64; }
static void cut_header(uint8_t *file, size_t *size) { (void)file, *size = 20; }
static void root_far(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file, 0x7ffffff0); }
static void root_unaligned(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file, wick_load_u32(file) + 1); }
static void vtable_far(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file + wick_load_u32(file), 0x7ffffff0u); }
static void flatbuffer_long(uint8_t *file, size_t *size) { wick_store_u64(file + 16, *size + 1); }
static void flatbuffer_huge(uint8_t *file, size_t *size) { (void)size, wick_store_u64(file + 16, UINT64_MAX); }
static void base_wrap(uint8_t *file, size_t *size) { (void)size, wick_store_u64(file + 24, UINT64_MAX - 63); }
static void base_far(uint8_t *file, size_t *size) { wick_store_u64(file + 24, *size), wick_store_u64(file + 32, 0); }
static void other_magic(uint8_t *file, size_t *size) { (void)size, memcpy(file + 4, "GGUF", 4); }

/* ---------------------------------------------------------------- the header */

static void tiny(uint8_t *file, size_t *size) { (void)file, *size = 5; }
static void header_short(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file + 12, 16); }
static void header_long(uint8_t *file, size_t *size) { wick_store_u32(file + 12, (uint32_t)*size + 8); }
static void header_to_the_end(uint8_t *file, size_t *size) { wick_store_u32(file + 12, (uint32_t)*size - 4); }
static void flatbuffer_short(uint8_t *file, size_t *size) { (void)size, wick_store_u64(file + 16, 32); }
static void segments_long(uint8_t *file, size_t *size) { wick_store_u64(file + 32, *size + 1); }
static void no_header(uint8_t *file, size_t *size) { (void)size, memcpy(file + 8, "none", 4); }
static void segment_wrap(uint8_t *file, size_t *size) {
    hostile_set(file, *size, "DataSegment", "offset", PLACE_SCALAR, 0, UINT64_MAX - 15);
}
static void segment_size(uint8_t *file, size_t *size) { hostile_set(file, *size, "DataSegment", "size", PLACE_SCALAR, 0, UINT64_MAX); }
static void segment_past(uint8_t *file, size_t *size) { hostile_set(file, *size, "DataSegment", "offset", PLACE_SCALAR, 0, *size + 1); }

/* ---------------------------------------------------------------- tables, vectors, strings */

static uint32_t vtable_of_root(const uint8_t *file) {
    uint32_t root = wick_load_u32(file);
    return root - wick_load_u32(file + root);
}
static void slot(uint8_t *file, int i, uint16_t value) { wick_store_u16(file + vtable_of_root(file) + 2 * i, value); }
static void vtable_behind(uint8_t *file, size_t *size) { (void)size, wick_store_u32(file + wick_load_u32(file), 0u - 0x100000); }
static void vtable_unaligned(uint8_t *file, size_t *size) {
    uint8_t *at = file + wick_load_u32(file);
    (void)size, wick_store_u32(at, wick_load_u32(at) + 1);
}
static void vtable_short(uint8_t *file, size_t *size) { (void)size, slot(file, 0, 2); }
static void vtable_odd(uint8_t *file, size_t *size) { (void)size, slot(file, 0, 21); }
static void vtable_long(uint8_t *file, size_t *size) { (void)size, slot(file, 0, 0xfffe); }
static void table_short(uint8_t *file, size_t *size) { (void)size, slot(file, 1, 0); }
static void table_long(uint8_t *file, size_t *size) { (void)size, slot(file, 1, 0xffff); }
static void field_low(uint8_t *file, size_t *size) { (void)size, slot(file, 3, 2); }
static void field_far(uint8_t *file, size_t *size) { (void)size, slot(file, 3, 0x4000); }
static void field_over_the_end(uint8_t *file, size_t *size) {
    (void)size, slot(file, 3, (uint16_t)(wick_load_u16(file + vtable_of_root(file) + 2) - 2));
}
static void field_unaligned(uint8_t *file, size_t *size) {
    (void)size, slot(file, 3, (uint16_t)(wick_load_u16(file + vtable_of_root(file) + 6) - 2));
}
static void reference(uint8_t *file, size_t size, uint32_t value) {
    hostile_set(file, size, "Program", "execution_plan", PLACE_REFERENCE, 0, value);
}
static void itself(uint8_t *file, size_t *size) { reference(file, *size, 0); }
static void far(uint8_t *file, size_t *size) { reference(file, *size, 0x7ffffffc); }
static void back(uint8_t *file, size_t *size) { reference(file, *size, 0xfffffffc); }
static void many_methods(uint8_t *file, size_t *size) { hostile_set(file, *size, "Program", "execution_plan", PLACE_COUNT, 0, 257); }
static void long_vector(uint8_t *file, size_t *size) { hostile_set(file, *size, "IntList", "items", PLACE_COUNT, 0, 0x20000001); }
static void long_string(uint8_t *file, size_t *size) { hostile_set(file, *size, "Operator", "name", PLACE_COUNT, 0, 0x7fffffff); }
static void no_nul(uint8_t *file, size_t *size) { hostile_set(file, *size, "Operator", "name", PLACE_COUNT, 0, 3); }
/* The string's last character is the file's last byte. */
static void string_at_end(uint8_t *file, size_t *size) {
    uint64_t end = wick_load_u64(file + 16), at = 0;
    (void)size;
    for (uint64_t i = 0; i + 9 < end; i++)
        if (memcmp(file + i, "aten::add", 9) == 0) at = i;
    wick_store_u32(file + at - 4, (uint32_t)(end - at));
}

static const hostile_case cases[] = {
    HOSTILE_PATCH(cut_half, "(download incomplete?)"),
    HOSTILE_PATCH(cut_tail, "(download incomplete?)"),
    HOSTILE_PATCH(cut_header, "extended header"),
    HOSTILE_PATCH(root_far, "past the end of the FlatBuffer"),
    HOSTILE_PATCH(root_unaligned, "not aligned"),
    HOSTILE_PATCH(vtable_far, "vtable outside"),
    HOSTILE_PATCH(flatbuffer_long, "(download incomplete?)"),
    HOSTILE_PATCH(flatbuffer_huge, "(download incomplete?)"),
    HOSTILE_PATCH(base_wrap, "(download incomplete?)"),
    HOSTILE_PATCH(base_far, "(download incomplete?)"),
    HOSTILE_PATCH(other_magic, "is not an ExecuTorch program"),
    HOSTILE_PATCH(tiny, "is not an ExecuTorch program (5 bytes"),
    HOSTILE_PATCH(header_short, "the extended header claims 16 bytes"),
    HOSTILE_PATCH(header_long, "the extended header claims"),
    HOSTILE_PATCH(header_to_the_end, "the extended header claims"),
    HOSTILE_PATCH(flatbuffer_short, "the header claims a program of 32 bytes"),
    HOSTILE_PATCH(segments_long, "bytes of segments from byte"),
    HOSTILE_PATCH(no_header, "no extended header to say where segments begin"),
    HOSTILE_PATCH(segment_wrap, " + 18446744073709551600, the file has"),
    HOSTILE_PATCH(segment_size, "claims 18446744073709551615 bytes"),
    HOSTILE_PATCH(segment_past, "claims 6 bytes at"),
    HOSTILE_PATCH(vtable_behind, "a vtable at byte"),
    HOSTILE_PATCH(vtable_unaligned, "not aligned to 2"),
    HOSTILE_PATCH(vtable_short, "is malformed (2 bytes"),
    HOSTILE_PATCH(vtable_odd, "is malformed (21 bytes"),
    HOSTILE_PATCH(vtable_long, "is malformed (65534 bytes"),
    HOSTILE_PATCH(table_short, "is malformed"),
    HOSTILE_PATCH(table_long, "past the end of the FlatBuffer"),
    HOSTILE_PATCH(field_low, "lies outside the table"),
    HOSTILE_PATCH(field_far, "lies outside the table"),
    HOSTILE_PATCH(field_over_the_end, "lies outside the table"),
    HOSTILE_PATCH(field_unaligned, "is not aligned to 4"),
    HOSTILE_PATCH(itself, "points outside the FlatBuffer"),
    HOSTILE_PATCH(far, "points outside the FlatBuffer"),
    HOSTILE_PATCH(back, "points outside the FlatBuffer"),
    HOSTILE_PATCH(many_methods, "has 257 items, at most 256 are allowed"),
    HOSTILE_PATCH(long_vector, "past the end of the FlatBuffer"),
    HOSTILE_PATCH(long_string, "past the end of the FlatBuffer"),
    HOSTILE_PATCH(no_nul, "does not end in NUL"),
    HOSTILE_PATCH(string_at_end, "does not end in NUL"),
};

/* A file of holes whose header claims more structure than is ever looked at. */
static void too_much_structure(void) {
    const char *path = test_tmp("bad.pte");
    uint8_t head[64] = {64, 0, 0, 0, 'E', 'T', '1', '2', 'e', 'h', '0', '0', 32};
    wick_program *p;
    wick_error err = {0};
    wick_store_u64(head + 16, (uint64_t)WICK_MAX_FLATBUFFER + 1);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(head, sizeof head, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(path, (off_t)WICK_MAX_FLATBUFFER + 4096), 0);
    assert_int_equal(wick_program_open(path, NULL, &p, &err), WICK_ELIMIT);
    assert_non_null(strstr(err.message, "the structural part has 1073741825 bytes, at most 1073741824 are accepted"));
    assert_int_equal(remove(path), 0);
}

void test_hostile_bytes(void **state) {
    (void)state;
    HOSTILE_RUN(cases);
    too_much_structure();
}
