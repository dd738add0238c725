/* Scripts: wire conversations as text, and the words they are made of (tests/scripts/README.md).
 * This file only reads them; script_player.c plays. */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct script_line {
    int number;
    char word[16];  /* "S:", "E:", "end", … */
    char *text;     /* what follows, unescaped */
    size_t length;  /* bytes of text: it may hold NULs */
} script_line;

typedef struct script {
    script_line *lines;
    size_t count;
    char title[160];
    int is_h2; /* C and S lines are frames */
} script;

/* \r \n \t \0 \\ \xNN */
static size_t script_unescape(const char *from, size_t n, char *to) {
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        char c = from[i];
        if (c == '\\' && i + 1 < n) {
            c = from[++i];
            if (c == 'r') c = '\r';
            else if (c == 'n') c = '\n';
            else if (c == 't') c = '\t';
            else if (c == '0') c = 0;
            else if (c == 'x' && i + 2 < n) {
                char hex[3] = {from[i + 1], from[i + 2], 0};
                c = (char)strtol(hex, NULL, 16);
                i += 2;
            }
        }
        to[length++] = c;
    }
    return length;
}

/* "S* 1000 text" repeats the text. */
static void script_repeat(script_line *line) {
    char *rest;
    unsigned long times = strtoul(line->text, &rest, 10);
    if (*rest == ' ') rest++;
    size_t n = line->length - (size_t)(rest - line->text);
    char *all = (char *)malloc(times * n + 1);
    for (unsigned long i = 0; i < times; i++) memcpy(all + i * n, rest, n);
    free(line->text);
    line->text = all;
    line->length = times * n;
    all[line->length] = 0;
    line->word[1] = '|';
}

static void script_add_line(script *s, char *raw, int number) {
    size_t n = strcspn(raw, "\r\n"), word = strcspn(raw, " \r\n");
    script_line line;
    if (n == 0 || raw[0] == '#') return;
    memset(&line, 0, sizeof line);
    line.number = number;
    memcpy(line.word, raw, word < sizeof line.word ? word : sizeof line.word - 1);
    if (word < n) word++;
    line.text = (char *)malloc(n - word + 3);
    line.length = script_unescape(raw + word, n - word, line.text);
    if (line.word[1] == ':' && strchr("SCb", line.word[0]) && line.word[0] != 'b') {
        memcpy(line.text + line.length, "\r\n", 2);
        line.length += 2;
    }
    line.text[line.length] = 0;
    if (line.word[1] == '*') script_repeat(&line);
    s->lines = (script_line *)realloc(s->lines, (s->count + 1) * sizeof line);
    s->lines[s->count++] = line;
}

static int script_load(script *s, const char *path) {
    static char raw[1 << 18];
    FILE *f = fopen(path, "rb");
    int number = 0;
    memset(s, 0, sizeof *s);
    if (!f) return 0;
    while (fgets(raw, sizeof raw, f)) {
        if (++number == 1) {
            raw[strcspn(raw, "\r\n")] = 0;
            memcpy(s->title, raw, strlen(raw) < sizeof s->title ? strlen(raw) : sizeof s->title - 1);
        }
        script_add_line(s, raw, number);
    }
    fclose(f);
    s->is_h2 = strstr(path, "/h2/") != NULL;
    return 1;
}

static void script_free(script *s) {
    for (size_t i = 0; i < s->count; i++) free(s->lines[i].text);
    free(s->lines);
}
#endif
