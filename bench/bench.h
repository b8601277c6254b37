/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bench.h: what the benchmark programs share: a clock, sides that take turns, and one line per measure.
 * The machine's speed swings between two runs, so every figure is given as a ratio to another one of the same run;
 * where the two can be taken in turn (A B A B ...), the ratio is the median of the rounds' ratios.
 *
 *     struct side sides[] = {
 *         { .what = "Execute", .step = execute_step, .arg = client },
 *         { .what = "healthcheck", .step = healthcheck_step, .arg = client },
 *     };
 *     take_turns(sides, COUNTOF(sides));
 *     print_beside("light Execute over HTTP", &sides[0], "bare answer", &sides[1], NO_LIMIT); */
#pragma once
#include "base/base.h"

/* Says why on stderr and ends the program: a benchmark that goes wrong has no figures. */
void give_up(const char *format, ...) PRINTF(1, 2) __attribute__((noreturn));
void must(enum ec, const char *what);

double seconds_now(void); /* monotonic */

enum { ROUNDS = 5 };
struct side {
    const char *what;
    unsigned (*step)(void *arg); /* does some of it and says how many */
    void *arg;
    double per_second[ROUNDS];
};
/* Every side for a while, ROUNDS times.  The first steps of each, which open and prepare, are not counted. */
void take_turns(struct side *sides, unsigned count);
/* How long one side runs in one round; BENCH_SECONDS in the environment, or 0.8. */
double round_seconds(void);
double side_rate(const struct side *); /* median */

/* Limits are limits of the ratio: AT_LEAST(1). */
struct limit {
    int direction;
    double ratio;
};
#define NO_LIMIT ((struct limit){ 0, 0 })
#define AT_LEAST(r) ((struct limit){ 1, r })
#define AT_MOST(r) ((struct limit){ -1, r })
void print_title(const char *title);
void print_line(const char *what, const char *figure, double ratio, const char *beside, struct limit);
void print_beside(const char *what, const struct side *, const char *other_what, const struct side *other,
                  struct limit);
/* A rate beside the one that is wanted on a machine where `yard` runs at its usual rate.  On a slower one, or a busy one,
 * less is wanted in proportion, round by round; where there are two yards, the slower counts. */
struct yard {
    const struct side *side;
    double usual;
};
void print_wanted(const char *what, const struct side *, double wanted, const struct yard yards[], unsigned count);
const char *with_commas(TALLOC_CTX *, double, const char *unit); /* "12,345/s", "17.4 KB" */
