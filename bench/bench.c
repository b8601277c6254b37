/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>
#include <time.h>

enum { WARM_STEPS = 3 };

void give_up(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void must(enum ec ec, const char *what)
{
    if (ec)
        give_up("%s: %s, %s", what, ec_name(ec), ec_text(ec));
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- turns ---- */

double round_seconds(void)
{
    const char *asked = getenv("BENCH_SECONDS");
    const double seconds = asked ? atof(asked) : 0;
    return seconds > 0 ? seconds : 0.8;
}

static double one_round(struct side *side, double seconds)
{
    const double begin = seconds_now();
    double now;
    unsigned long done = 0;
    do {
        done += side->step(side->arg);
        now = seconds_now();
    } while (now - begin < seconds);
    return (double)done / (now - begin);
}

void take_turns(struct side *sides, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned n = 0; n < WARM_STEPS; n++)
            sides[i].step(sides[i].arg);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < count; i++)
            sides[i].per_second[round] = one_round(&sides[i], round_seconds());
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double values[ROUNDS])
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, by_size);
    return sorted[ROUNDS / 2];
}

double side_rate(const struct side *side)
{
    return median(side->per_second);
}

/* 1: each yard is as fast as it usually is, or faster. */
static double present_speed(const struct yard yards[], unsigned count, unsigned round)
{
    double speed = 1;
    for (unsigned i = 0; i < count; i++)
        speed = MIN(speed, yards[i].side->per_second[round] / yards[i].usual);
    return speed;
}

static double side_ratio(const struct side *a, const struct side *b)
{
    double ratios[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++)
        ratios[i] = a->per_second[i] / b->per_second[i];
    return median(ratios);
}

/* ---- lines ---- */

const char *with_commas(TALLOC_CTX *arena, double value, const char *unit)
{
    char *text = value < 100 ? talloc_asprintf(arena, "%.1f", value) : talloc_asprintf(arena, "%.0f", value);
    for (size_t at = strcspn(text, "."); at > 3; at -= 3)
        text = talloc_asprintf(arena, "%.*s,%s", (int)(at - 3), text, text + at - 3);
    return talloc_asprintf(arena, "%s%s", text, unit);
}

void print_title(const char *title)
{
    printf("\n%-50s %12s  %6s  %-38s %s\n", title, "figure", "ratio", "beside", "limit");
    fflush(stdout);
}

void print_line(const char *what, const char *figure, double ratio, const char *beside, struct limit limit)
{
    char bound[32] = "";
    const bool ok = limit.direction > 0 ? ratio >= limit.ratio : ratio <= limit.ratio;
    if (limit.direction)
        snprintf(bound, sizeof bound, "%s %.2f  %s", limit.direction > 0 ? ">=" : "<=", limit.ratio,
                 ok                    ? "ok"
                 : limit.direction > 0 ? "UNDER"
                                       : "OVER");
    printf("%-50s %12s  %6.2f  %-38s %s\n", what, figure, ratio, beside, bound);
    fflush(stdout);
}

void print_beside(const char *what, const struct side *side, const char *other_what, const struct side *other,
                  struct limit limit)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    print_line(what, with_commas(arena, side_rate(side), "/s"), side_ratio(side, other),
               talloc_asprintf(arena, "%s %s", other_what, with_commas(arena, side_rate(other), "/s")), limit);
    talloc_free(arena);
}

void print_wanted(const char *what, const struct side *side, double wanted, const struct yard yards[], unsigned count)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    double ratios[ROUNDS], speeds[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        speeds[i] = present_speed(yards, count, i);
        ratios[i] = side->per_second[i] / (wanted * speeds[i]);
    }
    print_line(what, with_commas(arena, side_rate(side), "/s"), median(ratios),
               talloc_asprintf(arena, "wanted %s, now %s", with_commas(arena, wanted, "/s"),
                               with_commas(arena, wanted * median(speeds), "/s")),
               AT_LEAST(1));
    talloc_free(arena);
}
