/* What the runner's parts share: the program, its objects, and where results go.
 *
 * Everything that tasks share lies in one MAP_SHARED mapping, so that the same code serves tasks that are
 * processes and tasks that are threads. `codes.h` is made from tracekit's vocabulary when the runner is built.
 */
#ifndef TRACEKIT_RUNNER_H
#define TRACEKIT_RUNNER_H
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "codes.h"

enum form { PROCESS, THREAD };

struct segment { int64_t kind, duration_ns, object, target, bytes, count; };

/* As read from the program file: `first` to `end` are its segments, `start_ns` is -1 for a spawned task, `joins` is
 * how many segments join it, and `own` is 1 when that is one, of its creator. */
struct task { int64_t first, end, start_ns, joins, own; };

struct object_spec { int64_t kind, capacity, bytes; };

struct object {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    pthread_cond_t readable, writable;
    sem_t semaphore;
    int64_t capacity, bytes;   /* of a channel: messages, and the size of the largest */
    int64_t count;             /* of a channel between threads */
    atomic_int waiting_for;    /* of a wait group: a futex word */
    int fds[2];                /* of a channel between processes */
};

/* One a task, in shared memory. */
struct life {
    atomic_int ended;          /* a futex word */
    int64_t started_ns, ended_ns;
    pid_t pid;                 /* known to its creator, as `thread` is */
    pthread_t thread;
};

struct stamp { int64_t entered_ns, left_ns; };

struct world {
    enum form form;
    int64_t tasks, segments, objects, logging;
    int64_t main_returns;      /* threads end with the first task, as main's return ends the process */
    const struct task *task;
    const struct segment *segment;
    struct object *object;
    struct life *life;
    struct stamp *stamp;       /* one a segment, when logging */
    double spins_per_ns;
    atomic_int gate;           /* a futex word: tasks that start by themselves wait for it */
    atomic_int live;           /* tasks started and not ended, 0 or less when the program is over; a futex word */
    int64_t zero_ns;           /* CLOCK_MONOTONIC when the gate opened */
    pthread_attr_t joinable, detached;
};

extern struct world *world;
extern volatile int64_t *variable; /* by object; not in shared memory, so that a fork has a copy of its own */

int64_t now_ns(void);
void die(const char *what);
void futex_wait(atomic_int *word, int value);
void futex_wake(atomic_int *word);
void make_object(struct object *o, const struct object_spec *spec);
void channel_send(struct object *o, int64_t bytes);
void channel_recv(struct object *o);
void spawn(int64_t target);
void join(int64_t target);
void run_task(int64_t task);
void measure_spin(void);
void spin(int64_t duration_ns);
void sleep_until(int64_t at_ns);

#endif
