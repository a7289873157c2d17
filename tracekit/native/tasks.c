/* A task's steps, and how tasks begin and end as processes and as threads. */
#include "runner.h"

#include <alloca.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* A chain in which each step needs the one before: no compiler shortens it, and a preempted spin goes on where it
 * was, as it counts steps and not time. */
static volatile uint64_t sink;

static void __attribute__((noinline)) chain(int64_t steps)
{
    uint64_t x = sink;
    for (int64_t i = 0; i < steps; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        __asm__ volatile("" : "+r"(x));
    }
    sink = x;
}

void measure_spin(void)
{
    const int64_t steps = 100000;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 100; i++) {
        int64_t begin = now_ns();
        chain(steps);
        int64_t took = now_ns() - begin;
        if (took < best)
            best = took;
    }
    world->spins_per_ns = (double)steps / (double)best;
}

void spin(int64_t duration_ns)
{
    chain((int64_t)((double)duration_ns * world->spins_per_ns));
}

void sleep_until(int64_t at_ns)
{
    struct timespec t = {at_ns / 1000000000LL, at_ns % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void sleep_for(int64_t duration_ns)
{
    struct timespec t = {duration_ns / 1000000000LL, duration_ns % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        ;
}

/* A device or a peer that answers after duration_ns: a timerfd ends its wait by an interrupt, without timer slack.
 * Whoever waits for a socket, which could be polled, does so here too: a recording tells the two apart by that. */
static void timed_wait(int64_t duration_ns, int polled)
{
    static _Thread_local int fd = -1;
    static _Thread_local pid_t owner;
    if (fd < 0 || (world->form == PROCESS && owner != getpid())) {
        fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        owner = getpid();
        if (fd < 0)
            die("timerfd_create");
    }
    if (duration_ns < 1)
        duration_ns = 1;
    struct itimerspec t = {{0, 0}, {duration_ns / 1000000000LL, duration_ns % 1000000000LL}};
    uint64_t expiries;
    struct pollfd ready = {fd, POLLIN, 0};
    timerfd_settime(fd, 0, &t, NULL); /* also forgets what the last one counted and nobody read */
    while ((polled ? poll(&ready, 1, -1) : read(fd, &expiries, sizeof expiries)) < 0 && errno == EINTR)
        ;
}

static void __attribute__((noinline)) deepen(int64_t bytes)
{
    volatile char *p = alloca((size_t)bytes);
    for (int64_t at = bytes - 1; at >= 0; at -= 4096) /* from the top down, as a stack grows */
        p[at] = 1;
}

static void wait_group_add(struct object *o, int64_t count)
{
    if (atomic_fetch_add(&o->waiting_for, (int)count) + (int)count == 0)
        futex_wake(&o->waiting_for);
}

static void wait_group_wait(struct object *o)
{
    int left;
    while ((left = atomic_load(&o->waiting_for)) != 0)
        futex_wait(&o->waiting_for, left);
}

static void sem_take(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0 && errno == EINTR)
        ;
}

/* What the task last read of a variable. */
static _Thread_local int64_t last_read;

/* One step; 0 ends the task, and -1 is a fault. */
static int step(const struct segment *s)
{
    struct object *o = s->object >= 0 ? &world->object[s->object] : NULL;
    switch (s->kind) {
    case SEG_COMPUTE: spin(s->duration_ns); break;
    case SEG_SLEEP: sleep_for(s->duration_ns); break;
    case SEG_NETWORK: timed_wait(s->duration_ns, 1); break;
    case SEG_IO: case SEG_SYSCALL: timed_wait(s->duration_ns, 0); break;
    case SEG_ARRIVAL: sleep_until(world->zero_ns + s->duration_ns); break;
    case SEG_YIELD: sched_yield(); break;
    case SEG_LOCK:
        if (s->count == 1) /* of a rwmutex */
            pthread_rwlock_wrlock(&o->rwlock);
        else
            pthread_mutex_lock(&o->mutex);
        break;
    case SEG_UNLOCK:
        if (s->count == 1)
            pthread_rwlock_unlock(&o->rwlock);
        else
            pthread_mutex_unlock(&o->mutex);
        break;
    case SEG_READ_LOCK: pthread_rwlock_rdlock(&o->rwlock); break;
    case SEG_READ_UNLOCK: pthread_rwlock_unlock(&o->rwlock); break;
    case SEG_SEND: channel_send(o, s->bytes); break;
    case SEG_RECV: channel_recv(o); break;
    case SEG_WAIT: sem_take(&o->semaphore); break;
    case SEG_SIGNAL: sem_post(&o->semaphore); break;
    case SEG_SPAWN: spawn(s->target); break;
    case SEG_JOIN: join(s->target); break;
    case SEG_WAIT_GROUP_ADD: wait_group_add(o, s->count); break;
    case SEG_WAIT_GROUP_DONE: wait_group_add(o, -1); break;
    case SEG_WAIT_GROUP_WAIT: wait_group_wait(o); break;
    case SEG_STACK: deepen(s->bytes); break;
    case SEG_REQUEST: break;
    case SEG_READ: last_read = variable[s->object]; break;
    case SEG_WRITE: variable[s->object] = last_read + s->count; break;
    case SEG_ATOMIC: __atomic_fetch_add(&variable[s->object], s->count, __ATOMIC_SEQ_CST); break;
    case SEG_CRASH: return -1;
    case SEG_EXIT: return 0;
    default: die("a step that this runner does not know");
    }
    return 1;
}

void run_task(int64_t task)
{
    const struct task *t = &world->task[task];
    struct life *life = &world->life[task];
    if (t->start_ns >= 0) {
        while (!atomic_load(&world->gate))
            futex_wait(&world->gate, 0);
        if (t->start_ns > 0)
            sleep_until(world->zero_ns + t->start_ns);
    }
    life->started_ns = now_ns();
    int more = 1;
    for (int64_t at = t->first; at < t->end && more > 0; at++) {
        int64_t entered = world->logging ? now_ns() : 0;
        more = step(&world->segment[at]);
        if (world->logging)
            world->stamp[at] = (struct stamp){entered, now_ns()};
    }
    if (more < 0 && world->form == THREAD)
        raise(SIGSEGV); /* takes the whole process */
    life->ended_ns = now_ns();
    atomic_store(&life->ended, 1);
    if (t->joins > t->own)
        futex_wake(&life->ended);
    int ends_all = world->main_returns && task == 0 && world->form == THREAD;
    if (ends_all)
        atomic_store(&world->live, INT_MIN / 2); /* whoever goes on until the runner is gone does not count */
    if (atomic_fetch_sub(&world->live, 1) == 1 || ends_all)
        futex_wake(&world->live);
    if (more < 0)
        raise(SIGSEGV); /* its end is told first: nobody else can tell it */
}

static void *thread_main(void *task)
{
    run_task((int64_t)(intptr_t)task);
    return NULL;
}

static void spawn_process(int64_t target)
{
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        run_task(target);
        _exit(0);
    }
    world->life[target].pid = pid;
}

void spawn(int64_t target)
{
    atomic_fetch_add(&world->live, 1);
    if (world->form == PROCESS) {
        spawn_process(target);
        return;
    }
    pthread_attr_t *how = world->task[target].own ? &world->joinable : &world->detached;
    int error = pthread_create(&world->life[target].thread, how, thread_main, (void *)(intptr_t)target);
    if (error) {
        errno = error;
        die("pthread_create");
    }
}

void join(int64_t target)
{
    struct life *life = &world->life[target];
    if (!world->task[target].own)
        while (!atomic_load(&life->ended))
            futex_wait(&life->ended, 0);
    else if (world->form == THREAD)
        pthread_join(life->thread, NULL);
    else
        while (waitpid(life->pid, NULL, 0) < 0 && errno == EINTR)
            ;
}
