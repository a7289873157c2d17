/* What the measurements share: the CPUs, the clock, and how a figure is taken and said.
 *
 * A file measures one concern. main.c says in which order, as one can disturb the next.
 */
#ifndef TRACEKIT_CALIBRATE_H
#define TRACEKIT_CALIBRATE_H
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define ROUNDS 400

extern int here, there; /* the CPU that is measured, and another, or -1 */

/* Inline, as a call of its own would be part of what is measured. */
static inline int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void pin(int cpu);
double median(double *values, int count);
void say(const char *name, double value);
void spin(int64_t ns);
void *shared(size_t bytes);

/* The middle of batches of an operation that takes less than reading the clock does. */
#define TIMED(operation, per_batch)                                \
    ({                                                             \
        double values_[101];                                       \
        for (int b_ = 0; b_ < 101; b_++) {                         \
            int64_t begin_ = now();                                \
            for (int i_ = 0; i_ < (per_batch); i_++) {             \
                operation;                                         \
            }                                                      \
            values_[b_] = (double)(now() - begin_) / (per_batch);  \
        }                                                          \
        median(values_, 101);                                      \
    })

void operations(void);
void pauses(void);
void wakes(void);
void preemption(void);
void switches(void);
void hand_overs(void);
void lives(void);
void crowds(void);
void stacks(void);
void shootdowns(void);
void timers(void);
void ticks(void);
void pages(void);
void copies(void);
void line(void);
void caches(void);
void placement(void);
void pulls(void);

#endif
