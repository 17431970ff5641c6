#include "check.h"
#include "table.h"

#include <stdlib.h>
#include <unistd.h>

/* A source that hands out a text in pieces of `piece` bytes, and fails after `fail_after`. */
struct text_source {
    const char *text;
    size_t length, position, piece, fail_after;
    bool halts, halted; /* every other time nothing has come */
};

static long read_text(void *context, char *data, size_t size, struct error *error)
{
    struct text_source *source = context;
    source->halted = source->halts && !source->halted;
    if (source->halted)
        return error_later(error), -1;
    if (source->position >= source->fail_after) {
        error_set(error, ERROR_SYSTEM, "the source is broken");
        return -1;
    }
    size_t left = source->length - source->position;
    size_t count = left < source->piece ? left : source->piece;
    if (count > size)
        count = size;
    memcpy(data, source->text + source->position, count);
    source->position += count;
    return (long)count;
}

/* Reads the whole table and writes it down as "names|row|row|…", or as the error's text. A header's
 * names stand in parentheses. */
static const char *read_pieces(const char *text, size_t length, size_t piece)
{
    static char out[4096];
    struct text_source source = {text, length, 0, piece, SIZE_MAX, false, false};
    struct error error = {0};
    double row[TABLE_COLUMNS_MAX];
    size_t used = 0;
    struct table *table = table_new(read_text, &source, "t", &error);
    if (!table)
        return strcpy(out, error.text);
    for (size_t i = 0; i < table_columns(table); i++)
        used +=
            (size_t)snprintf(out + used, sizeof out - used,
                             table_has_header(table) ? "(%s)" : "%s ", table_column_name(table, i));
    enum table_result result;
    source.halts = piece == 1;
    while ((result = table_next(table, row, &error)) == TABLE_ROW ||
           (result == TABLE_ERROR && error.kind == ERROR_LATER)) {
        if (result == TABLE_ERROR)
            continue;
        used += (size_t)snprintf(out + used, sizeof out - used, "|");
        for (size_t i = 0; i < table_columns(table); i++)
            used += (size_t)snprintf(out + used, sizeof out - used, i ? " %g" : "%g", row[i]);
    }
    if (result == TABLE_ERROR)
        strcpy(out, error.text);
    table_free(table);
    return out;
}

/* In one piece and byte by byte the table must be the same. */
#define CHECK_TABLE(wants, text)                                                                   \
    do {                                                                                           \
        CHECK_STRING(wants, read_pieces(text, sizeof(text) - 1, SIZE_MAX));                        \
        CHECK_STRING(wants, read_pieces(text, sizeof(text) - 1, 1));                               \
    } while (0)

static void test_delimiters(void)
{
    CHECK_TABLE("a b |1 2|3 4", "1\t2\n3\t4\n");
    CHECK_TABLE("a b |1 2|3 4", "1,2\n3,4\n");
    CHECK_TABLE("a b |1 2|3 4", "1;2\n3;4\n");
    CHECK_TABLE("a b |1 2|3 4", "1 2\n3 4\n");
    CHECK_TABLE("a b |1 2|3 4", "  1   2\n 3 \t 4  \n");
    CHECK_TABLE("a |1|3", "1\n3\n");
    CHECK_TABLE("a b |1 2", "1 , 2 \n");
    CHECK_TABLE("a b |1 2", " 1 \t 2 \n");
    CHECK_TABLE("(a,b)(c)|1 2", "a,b\tc\n1\t2\n");
    CHECK_TABLE("(a b)(c)|1 2", "a b,c\n1,2\n");
    CHECK_TABLE("(a,b)(c;d)|1 2", "\"a,b\";\"c;d\"\n1;2\n");
    CHECK_TABLE("(a;b)(c)|1 2", "\"a;b\",\"c\"\n1,2\n");
    CHECK_TABLE("(a,b)(c)|1 2", "\"a,b\" c\n1 2\n");
    CHECK_TABLE("a b |1 2|3 4", "1 2\n3\t4\n");
    CHECK_TABLE("t:2: column a: \"1,5\" is not a number", "a;b\n1,5;2\n");
    CHECK_TABLE("t:2: column a: \"1,5\" is not a number", "a\tb\n1,5\t2\n");
    CHECK_TABLE("t:2: 1 cell where the first row has 2", "1 2\n3,4\n");
}

static void test_line_ends(void)
{
    CHECK_TABLE("a b |1 2|3 4", "1\t2\r\n3\t4\r\n");
    CHECK_TABLE("a b |1 2|3 4", "1\t2\r\n3\t4\n");
    CHECK_TABLE("a b |1 2|3 4", "1\t2\n3\t4");
    CHECK_TABLE("a b |1 2|3 4", "1\t2\r\n3\t4\r");
    CHECK_TABLE("a b |1 2|3 4", "1\t2\n3\t4\n\n\r\n \t\n\n");
    CHECK_TABLE("a b |1 2|3 4", "1\t2\n3\t4\n\n\n   ");
    CHECK_TABLE("a b |1 2", "\xEF\xBB\xBF"
                            "1\t2\n");
    CHECK_TABLE("(x)(y)|1 2", "\xEF\xBB\xBFx,y\n1,2\n");
    CHECK_TABLE("(x)(y)|1 2", "\xEF\xBB\xBF\"x\",y\n1,2\n");
    CHECK_TABLE("t:2: a blank line, and data after it", "1\t2\n\n3\t4\n");
    CHECK_TABLE("t:3: a blank line, and data after it", "a,b\n1,2\n\r\n \n3,4\n");
    CHECK_TABLE("t:1: a blank line, and data after it", "\n1\t2\n");
    CHECK_TABLE("t:2: column a: \"\xEF\xBB\xBF"
                "3\" is not a number",
                "1\n\xEF\xBB\xBF"
                "3\n");
    CHECK_TABLE("t:1: column 2: the name has a control character: \"2\\x0d3\"", "1\t2\r3\t4\n");
}

static void test_headers(void)
{
    CHECK_TABLE("(x)(y)|1 2", "x\ty\n1\t2\n");
    CHECK_TABLE("(x)(y)", "x\ty\n");
    CHECK_TABLE("(x)(y)", "x\ty");
    CHECK_TABLE("(1)(y)|1 2", "1\ty\n1\t2\n");
    CHECK_TABLE("(nan)(1)|1 2", "nan\t1\n1\t2\n");
    CHECK_TABLE("(0x10)(inf)|1 2", "0x10 inf\n1 2\n");
    CHECK_TABLE("(größe)(²)|1 2", "größe;²\n1;2\n");
    CHECK_TABLE("(a \"b\")(c\")|1 2", "\"a \"\"b\"\"\",\"c\"\"\"\n1,2\n");
    CHECK_TABLE("(a\"\"b)(c)|1 2", "a\"\"b\tc\n1\t2\n");
    CHECK_TABLE("(5\" pipe)(c)|1 2", "5\" pipe\tc\n1\t2\n");
    CHECK_TABLE("t:1: columns 1 and 3 are both called x", "x\ty\tx\n1\t2\t3\n");
    CHECK_TABLE("t:1: column 2: the name is empty: \"\"", "x\t\tz\n");
    CHECK_TABLE("t:1: column 2: the name is empty: \"\"", "x,\"\",z\n");
    CHECK_TABLE("t:1: column 3: the name is empty: \"\"", "1,2,\n3,4,\n");
    CHECK_TABLE("t:1: column 1: the name is not valid UTF-8: \"gr\\xf6\\xdfe\"", "gr\xF6\xDF"
                                                                                 "e\ty\n");
    CHECK_TABLE("t:1: column 1: the name has a control character: \"x\\x00\"", "x\0\ty\n");
    CHECK_TABLE("t:1: column 2: the name has a control character: \"y\\x7f\"", "x\ty\x7F\n");
    CHECK_TABLE("t:1: column 1: the name is not valid UTF-8: \"\\x1f\\x8b\\x08\\x00\"",
                "\x1F\x8B\x08\0");
    CHECK_TABLE("t:1: column 1: a quote is not closed, or text follows it", "\"x\ty\n");
    CHECK_TABLE("t:1: column 2: a quote is not closed, or text follows it", "x,\"y\"z\n");
}

static void test_long_names(void)
{
    char text[TABLE_NAME_MAX + 2], wants[TABLE_NAME_MAX + 3];
    memset(text, 'x', sizeof text);
    text[TABLE_NAME_MAX] = '\n';
    snprintf(wants, sizeof wants, "(%.*s)", TABLE_NAME_MAX, text);
    CHECK_STRING(wants, read_pieces(text, TABLE_NAME_MAX + 1, SIZE_MAX));
    text[TABLE_NAME_MAX] = 'x';
    const char *got = read_pieces(text, TABLE_NAME_MAX + 1, SIZE_MAX);
    CHECK(strstr(got, "t:1: column 1: the name is too long: \"xxx") == got, "%s", got);
}

static void test_letter_names(void)
{
    static char text[2 * TABLE_COLUMNS_MAX + 3];
    for (size_t i = 0; i <= TABLE_COLUMNS_MAX; i++)
        memcpy(text + 2 * i, "7,", 2);
    struct text_source source = {text, 2 * TABLE_COLUMNS_MAX - 1, 0, SIZE_MAX, SIZE_MAX, false,
                                 false};
    struct error error = {0};
    struct table *table = table_new(read_text, &source, "t", &error);
    if (CHECK(table, "%s", error.text)) {
        CHECK_INT(TABLE_COLUMNS_MAX, table_columns(table));
        CHECK_STRING("z", table_column_name(table, 25));
        CHECK_STRING("aa", table_column_name(table, 26));
        CHECK_STRING("az", table_column_name(table, 51));
        CHECK_STRING("ba", table_column_name(table, 52));
        CHECK_STRING("zz", table_column_name(table, 701));
        CHECK_STRING("aaa", table_column_name(table, 702));
        CHECK_STRING("amj", table_column_name(table, 1023));
    }
    table_free(table);
    CHECK_STRING("t:1: 1025 columns are too many: at most 1024",
                 read_pieces(text, 2 * TABLE_COLUMNS_MAX + 1, SIZE_MAX));
}

static void test_cells(void)
{
    CHECK_TABLE("a b |1 2|-3.5 4000", "\"1\",\"2\"\n\"-3.5\", \"4e3\" \n");
    CHECK_TABLE("a b |1 2|3 4", "\"1\" \"2\"\n \"3\"   4\n");
    CHECK_TABLE("a b |1e+308 4.94066e-324|-0 0", "1e308\t5e-324\n-0\t1e-400\n");
    CHECK_TABLE("a b |1 -2|0.5 3", "+1\t-2\n.5\t3.\n");
    CHECK_TABLE("t:2: column b: \"xx\" is not a number", "1\t2\n3\txx\n");
    CHECK_TABLE("t:3: column y: \"xx\" is not a number", "x\ty\n1\t2\n3\txx\n");
    CHECK_TABLE("t:2: column b: the cell is empty", "1\t2\n3\t\n");
    CHECK_TABLE("t:2: column a: the cell is empty", "1\t2\n\t3\n");
    CHECK_TABLE("t:2: column b: the cell is empty", "1,2,3\n3, ,4\n");
    CHECK_TABLE("t:1: column b: \"1e309\" is out of the range of doubles", "1\t1e309\n");
    CHECK_TABLE("t:2: column a: \"-1e999\" is out of the range of doubles", "1\t2\n-1e999\t1\n");
    CHECK_TABLE("t:2: column a: \"nan\" is not a number", "1\t2\nnan\t1\n");
    CHECK_TABLE("t:2: column a: \"inf\" is not a number", "1\t2\ninf\t1\n");
    CHECK_TABLE("t:2: column b: \"0x10\" is not a number", "1\t2\n1\t0x10\n");
    CHECK_TABLE("t:2: column b: \"1\\x002\" is not a number", "1\t2\n1\t1\0002\n");
    CHECK_TABLE("t:2: column b: \"\\x1b[31m\" is not a number", "1\t2\n1\t\x1B[31m\n");
    CHECK_TABLE("t:2: column b: \"1\\x22\\x222\" is not a number", "1,2\n1,\"1\"\"2\"\n");
    CHECK_TABLE("t:2: column b: \"äöü\" is not a number", "1\t2\n1\täöü\n");
    CHECK_TABLE("t:2: column a: \"\\xc2\\x9b1\" is not a number", "1\n\xC2\x9B"
                                                                  "1\n");
    CHECK_TABLE("t:2: column b: a quote is not closed, or text follows it", "1,2\n3,\"4\n");
    CHECK_TABLE("t:2: column b: "
                "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\" is not a number",
                "1,2\n3,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
}

static void test_ragged(void)
{
    CHECK_TABLE("t:2: 1 cell where the first row has 2", "1\t2\n3\n");
    CHECK_TABLE("t:2: 3 cells where the first row has 2", "1\t2\n3\t4\t5\n");
    CHECK_TABLE("t:3: 3 cells where the header has 4", "a,b,c,d\n1,2,3,4\n1,x,3\n");
    CHECK_TABLE("t:2: 3 cells where the first row has 2", "1\t2\n3\t4\t\n");
    CHECK_TABLE("t:2: 3 cells where the first row has 2", "1 2\n1 2 3\n");
}

static void test_nothing(void)
{
    CHECK_TABLE("t is empty", "");
    CHECK_TABLE("t is empty", "\n");
    CHECK_TABLE("t is empty", "\xEF\xBB\xBF\r\n  \n");
}

/* `length` bytes "1 1 1 …" and a newline, after a first row. */
static char *long_line(size_t length)
{
    char *text = malloc(length + 16);
    memcpy(text, "1;2\n", 4);
    memset(text + 4, ' ', length);
    memcpy(text + 4, "3;4", 3);
    memcpy(text + 4 + length, "\n5;6\n", 6);
    return text;
}

static void test_long_lines(void)
{
    char *text = long_line(TABLE_LINE_MAX + 1);
    CHECK_STRING("t:2: the line is longer than 1048576 bytes",
                 read_pieces(text, strlen(text), SIZE_MAX));
    CHECK_STRING("t:2: the line is longer than 1048576 bytes",
                 read_pieces(text, TABLE_LINE_MAX + 5, SIZE_MAX));
    free(text);
    text = long_line(TABLE_LINE_MAX);
    CHECK_STRING("a b |1 2|3 4|5 6", read_pieces(text, strlen(text), SIZE_MAX));
    CHECK_STRING("a b |1 2|3 4|5 6", read_pieces(text, strlen(text), 1000));
    free(text);
}

static void test_source_error(void)
{
    struct text_source source = {"1;2\n3;4\n", 8, 0, 4, 0, false, false};
    struct error error = {0};
    double row[2];
    CHECK(!table_new(read_text, &source, "t", &error), "a broken source");
    CHECK_STRING("the source is broken", error.text);
    source.fail_after = 8;
    struct table *table = table_new(read_text, &source, "t", &error);
    CHECK_INT(TABLE_ROW, table_next(table, row, &error));
    CHECK_INT(TABLE_ROW, table_next(table, row, &error));
    CHECK_INT(TABLE_ERROR, table_next(table, row, &error));
    CHECK_STRING("the source is broken", error.text);
    table_free(table);
}

/* Many rows: more than the buffer holds, so that lines lie across its end. */
static void test_many_rows(void)
{
    enum { ROWS = 100000, ROW_MAX = 40 };
    char *text = malloc((size_t)ROWS * ROW_MAX);
    size_t length = 0;
    for (int i = 0; i < ROWS; i++)
        length += (size_t)sprintf(text + length, "%d\t%d.5\t%d\r\n", i, i, 3 * i);
    struct text_source source = {text, length, 0, 100003, SIZE_MAX, false, false};
    struct error error = {0};
    double row[3];
    struct table *table = table_new(read_text, &source, "t", &error);
    int wrong = 0;
    for (int i = 0; i < ROWS; i++)
        wrong += table_next(table, row, &error) != TABLE_ROW || row[0] != i || row[1] != i + 0.5 ||
                 row[2] != 3.0 * i || table_line(table) != (uint64_t)i + 1;
    CHECK_INT(0, wrong);
    CHECK_INT(TABLE_END, table_next(table, row, &error));
    CHECK_INT(TABLE_END, table_next(table, row, &error));
    CHECK_INT(length, table_bytes(table));
    table_free(table);
    free(text);
}

static void fingerprint_of(const char *text, size_t piece, char hex[static 33])
{
    struct text_source source = {text, strlen(text), 0, piece, SIZE_MAX, false, false};
    struct error error = {0};
    double row[2];
    struct table *table = table_new(read_text, &source, "t", &error);
    while (table_next(table, row, &error) == TABLE_ROW)
        ;
    table_fingerprint(table, hex);
    table_free(table);
}

static void test_fingerprint(void)
{
    char whole[33], pieces[33], other[33];
    fingerprint_of("1\t2\n3\t4\n", SIZE_MAX, whole);
    fingerprint_of("1\t2\n3\t4\n", 1, pieces);
    fingerprint_of("1\t2\n3\t5\n", SIZE_MAX, other);
    CHECK_STRING("7f27b45b3323a92958d845b2317b8ae5", whole);
    CHECK_STRING(whole, pieces);
    CHECK(strcmp(whole, other) != 0, "%s", other);
}

static void test_files(void)
{
    struct error error = {0};
    char path[] = "/tmp/trendline-test-XXXXXX";
    int file = mkstemp(path);
    CHECK_INT(8, write(file, "1,2\n3,x\n", 8));
    close(file);
    double row[2];
    struct table *table = table_open(path, &error);
    if (CHECK(table, "%s", error.text)) {
        CHECK_INT(TABLE_ROW, table_next(table, row, &error));
        CHECK_INT(TABLE_ERROR, table_next(table, row, &error));
        char wants[128];
        snprintf(wants, sizeof wants, "%s:2: column b: \"x\" is not a number", path + 5);
        CHECK_STRING(wants, error.text);
    }
    table_free(table);
    unlink(path);

    CHECK(!table_open("/nowhere/train.tsv", &error), "no such file");
    CHECK_INT(ERROR_ABSENT, error.kind);
    CHECK_STRING("cannot open /nowhere/train.tsv: No such file or directory", error.text);
    CHECK(!table_open("/tmp", &error), "a directory");
    CHECK_STRING("cannot read tmp: Is a directory", error.text);
}

int main(void)
{
    test_delimiters();
    test_line_ends();
    test_headers();
    test_long_names();
    test_letter_names();
    test_cells();
    test_ragged();
    test_nothing();
    test_long_lines();
    test_source_error();
    test_many_rows();
    test_fingerprint();
    test_files();
    return check_report("test_table");
}
