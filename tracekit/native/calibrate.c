/* One round of measurements of this machine: a line "NAME VALUE" each, in ns unless the name says otherwise.
 *
 * usage: calibrate CPU [OTHER_CPU]
 *
 * What is measured is what a model charges: each hand-over is the sum of an operation, a wake, a block and a switch,
 * and tracekit/machine/calibrate/derive.py takes the sums apart. Every figure is the median of many.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 400

static int here, there = -1;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void say(const char *name, double value)
{
    printf("%s %.3f\n", name, value);
}

static void spin(int64_t ns)
{
    int64_t until = now() + ns;
    while (now() < until)
        ;
}

/* So many steps of which each needs the one before, whatever comes between them. */
static void __attribute__((noinline)) steps(int64_t count)
{
    uint64_t x = 1;
    for (int64_t i = 0; i < count; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        __asm__ volatile("" : "+r"(x));
    }
}

static void pause_once(void)
{
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

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

/* ---- a hand-over: two sides, as processes over pipes or as threads over a queue with a condition variable ---- */

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    int count;
};

struct side {
    int threads, size, rounds;
    int64_t work_ns;
    int pipes[2][2];
    struct queue queues[2];
    atomic_int words[2]; /* of futexes */
    int cpus[2];
    double *latency; /* of each hand-over to side 1: from the send to running again */
    atomic_llong sent;
};

static void queue_init(struct queue *q)
{
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->filled, NULL);
    q->count = 0;
}

static char buffer[1 << 17];

static void transfer(int fd, int size, int writing)
{
    for (int done = 0; done < size;) {
        ssize_t n = writing ? write(fd, buffer, (size_t)(size - done)) : read(fd, buffer, (size_t)(size - done));
        if (n > 0)
            done += (int)n;
    }
}

static void queue_put(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->count++;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->mutex);
}

static void queue_take(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (q->count == 0)
        pthread_cond_wait(&q->filled, &q->mutex);
    q->count--;
    pthread_mutex_unlock(&q->mutex);
}

enum { PIPES, CONDVARS, FUTEXES }; /* struct side's threads */

static void give(struct side *s, int to)
{
    if (s->threads == FUTEXES) {
        atomic_store(&s->words[to], 1);
        syscall(SYS_futex, &s->words[to], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    } else if (s->threads)
        queue_put(&s->queues[to]);
    else
        transfer(s->pipes[to][1], s->size, 1);
}

static void take(struct side *s, int own)
{
    if (s->threads == FUTEXES) {
        while (!atomic_exchange(&s->words[own], 0))
            syscall(SYS_futex, &s->words[own], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    } else if (s->threads)
        queue_take(&s->queues[own]);
    else
        transfer(s->pipes[own][0], s->size, 0);
}

static void play(struct side *s, int own)
{
    pin(s->cpus[own]);
    for (int i = 0; i < s->rounds; i++) {
        if (own == 0) {
            if (s->work_ns)
                spin(s->work_ns);
            atomic_store(&s->sent, now());
            give(s, 1);
            take(s, 0);
        } else {
            take(s, 1);
            s->latency[i] = (double)(now() - atomic_load(&s->sent));
            if (s->work_ns)
                spin(s->work_ns);
            give(s, 0);
        }
    }
}

static void *play_second(void *s)
{
    play(s, 1);
    return NULL;
}

static void *shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return p;
}

struct measured { double round_trip, latency; };

static struct measured hand_over(int threads, int size, int first, int second, int64_t work_ns)
{
    struct side *s = shared(sizeof *s);
    s->latency = shared(ROUNDS * sizeof(double));
    s->threads = threads;
    s->size = size;
    s->rounds = ROUNDS;
    s->work_ns = work_ns;
    s->cpus[0] = first;
    s->cpus[1] = second;
    for (int i = 0; i < 2; i++) {
        queue_init(&s->queues[i]);
        if (pipe(s->pipes[i])) {
            perror("pipe");
            exit(1);
        }
    }
    pthread_t other = 0;
    pid_t child = 0;
    if (threads)
        pthread_create(&other, NULL, play_second, s);
    else if (!(child = fork())) {
        play(s, 1);
        _exit(0);
    }
    usleep(500);
    int64_t begin = now();
    play(s, 0);
    double took = (double)(now() - begin);
    if (threads)
        pthread_join(other, NULL);
    else
        waitpid(child, NULL, 0);
    for (int i = 0; i < 2; i++)
        close(s->pipes[i][0]), close(s->pipes[i][1]);
    pin(here);
    struct measured m = {took / ROUNDS - 2.0 * (double)work_ns, median(s->latency, ROUNDS)};
    munmap(s->latency, ROUNDS * sizeof(double));
    munmap(s, sizeof *s);
    return m;
}

static void hand_overs(void)
{
    static const int sizes[] = {1, 64, 1024, 4096, 16384, 65536};
    char name[64];
    for (int threads = 0; threads < 2; threads++) {
        const char *form = threads ? "thread" : "process";
        sprintf(name, "%s_hand_over", form);
        say(name, hand_over(threads, 1, here, here, 0).round_trip / 2);
        if (there < 0)
            continue;
        static const int64_t works[] = {0, 5000, 50000, 500000};
        for (int i = 0; i < 4; i++) {
            struct measured m = hand_over(threads, 1, here, there, works[i]);
            sprintf(name, "%s_hand_over_idle_%lldus", form, (long long)works[i] / 1000);
            say(name, m.round_trip / 2);
            sprintf(name, "%s_wakeup_idle_%lldus", form, (long long)works[i] / 1000);
            say(name, m.latency);
        }
    }
    say("futex_hand_over", hand_over(FUTEXES, 1, here, here, 0).round_trip / 2);
    for (int i = 0; i < 6; i++) {
        sprintf(name, "pipe_hand_over_%d_bytes", sizes[i]);
        say(name, hand_over(0, sizes[i], here, here, 0).round_trip / 2);
    }
}

static double wake(int threads, int cpu);

/* A thread that waits again and again beside a spinner, which notes when it has the CPU again: from the call to then it
 * is the way into the wait, and the switch. `far`: another CPU wakes it, not the spinner. */
struct waiter { atomic_int word, waits; atomic_llong back; int far; double took[ROUNDS]; };

static void beside(struct waiter *w)
{
    int64_t last = now();
    for (;;) {
        int64_t t = now();
        if (t - last > 400)
            atomic_store(&w->back, t);
        last = t;
        if (!w->far && t - atomic_load(&w->back) > 60000) {
            last = now();
            syscall(SYS_futex, &w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
        }
    }
}

static double wait_beside(int far)
{
    struct waiter *w = shared(sizeof *w);
    w->far = far;
    pid_t spinner = fork();
    if (!spinner) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (nice(19) < 0)
            _exit(1);
        beside(w);
    }
    usleep(2000);
    pid_t child = fork();
    if (!child) {
        for (int i = 0; i < ROUNDS; i++) {
            int64_t begin = now();
            syscall(SYS_futex, &w->word, FUTEX_WAIT, 0, NULL, NULL, 0);
            w->took[i] = (double)(atomic_load(&w->back) - begin);
            atomic_fetch_add(&w->waits, 1);
        }
        _exit(0);
    }
    pin(there);
    while (atomic_load(&w->waits) < ROUNDS)
        if (far) {
            spin(60000);
            syscall(SYS_futex, &w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
        } else
            usleep(1000);
    waitpid(child, NULL, 0);
    kill(spinner, SIGKILL);
    waitpid(spinner, NULL, 0);
    pin(here);
    double took = median(w->took, ROUNDS);
    munmap(w, sizeof *w);
    return took;
}

/* How soon after it left its last thread a CPU that idles is woken at the price of one that has halted: the first of
 * these waits after which a wakeup takes nearer to the longest than to the shortest. */
static void *halting(void *argument)
{
    struct side *s = argument;
    pin(there);
    for (int i = 0; i < s->rounds; i++) {
        spin(5000);
        atomic_store(&s->words[1], 0);
        atomic_store(&s->words[0], 1);
        while (!atomic_load(&s->words[1]))
            syscall(SYS_futex, &s->words[1], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        s->latency[i] = (double)(now() - atomic_load(&s->sent));
    }
    return NULL;
}

static double woken_after(int64_t delay_ns)
{
    double latency[ROUNDS];
    struct side s = {.rounds = ROUNDS, .latency = latency};
    pthread_t other;
    pthread_create(&other, NULL, halting, &s);
    for (int i = 0; i < ROUNDS; i++) {
        while (!atomic_exchange(&s.words[0], 0))
            ;
        int64_t until = now() + delay_ns;
        while (now() < until)
            ;
        atomic_store(&s.sent, now());
        atomic_store(&s.words[1], 1);
        syscall(SYS_futex, &s.words[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    pthread_join(other, NULL);
    return median(latency, ROUNDS);
}

static double halt(void)
{
    static const int64_t delays[] = {1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10000, 15000};
    enum { COUNT = sizeof delays / sizeof *delays };
    double took[COUNT], shortest = 1e9, longest = 0;
    for (int i = 0; i < COUNT; i++) {
        took[i] = woken_after(delays[i]);
        shortest = took[i] < shortest ? took[i] : shortest;
        longest = took[i] > longest ? took[i] : longest;
    }
    for (int i = 0; i < COUNT; i++)
        if (2 * took[i] > shortest + longest)
            return (double)delays[i];
    return (double)delays[COUNT - 1];
}

/* A wakeup on a CPU that computes, for one that is to run there at once: side 1 is always due before the spinner, whose
 * weight is the least, and which so is never eligible when side 1 wakes. */
static void preemption(void)
{
    pid_t spinner = fork();
    if (!spinner) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(there);
        if (nice(19) < 0)
            _exit(1);
        for (;;)
            spin(1000000);
    }
    usleep(20000);
    say("process_wakeup_preempting_other_cpu", hand_over(PIPES, 1, here, there, 50000).latency);
    say("process_send_to_busy_cpu", wake(0, there));
    say("wait_beside_a_spinner", wait_beside(0));
    say("wait_after_a_far_wake", wait_beside(1));
    say("halt", halt());
    kill(spinner, SIGKILL);
    waitpid(spinner, NULL, 0);
}

/* ---- operations that nobody waits for ---- */

static void *wait_for_end(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

/* What creating and ending threads does to their address space: stacks that nobody used before. */
static void stacks(void)
{
    enum { COUNT = 200, SIZE = 8 << 20 };
    static char *stack[COUNT];
    double map[COUNT], advise[COUNT], unmap[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int64_t begin = now();
        stack[i] = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack[i] == MAP_FAILED || mprotect(stack[i] + 4096, SIZE - 4096, PROT_READ | PROT_WRITE))
            exit(1);
        map[i] = (double)(now() - begin);
        stack[i][SIZE - 100] = stack[i][SIZE - 5000] = 1;
    }
    for (int i = 0; i < COUNT; i++) {
        int64_t begin = now();
        madvise(stack[i] + 4096, SIZE - 5 * 4096, MADV_DONTNEED);
        int64_t between = now();
        munmap(stack[i], SIZE);
        advise[i] = (double)(between - begin);
        unmap[i] = (double)(now() - between);
    }
    say("map_stack", median(map, COUNT));
    say("advise_stack", median(advise, COUNT));
    say("unmap_stack", median(unmap, COUNT));
}

static void operations(void)
{
    /* glibc locks without atomic operations while there is one thread: no program that needs a lock is so. */
    pthread_mutex_t ended = PTHREAD_MUTEX_INITIALIZER;
    pthread_t second;
    pthread_mutex_lock(&ended);
    pthread_create(&second, NULL, wait_for_end, &ended);
    usleep(1000);
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, *pshared = shared(sizeof *pshared);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(pshared, &attr);
    say("syscall", TIMED(syscall(SYS_getppid), 1000));
    static int refused;
    say("thread_futex_refused", TIMED(syscall(SYS_futex, &refused, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), 1000));
    say("process_futex_refused", TIMED(syscall(SYS_futex, &refused, FUTEX_WAIT, 1, NULL, NULL, 0), 1000));
    say("thread_lock", TIMED((pthread_mutex_lock(&plain), pthread_mutex_unlock(&plain)), 1000) / 2);
    say("process_lock", TIMED((pthread_mutex_lock(pshared), pthread_mutex_unlock(pshared)), 1000) / 2);
    struct queue q;
    queue_init(&q);
    say("thread_channel", TIMED((queue_put(&q), queue_take(&q)), 1000) / 2);
    int ends[2];
    if (pipe(ends))
        exit(1);
    say("pipe_write_read_1_byte", TIMED((transfer(ends[1], 1, 1), transfer(ends[0], 1, 0)), 300));
    say("pipe_write_read_4096_bytes", TIMED((transfer(ends[1], 4096, 1), transfer(ends[0], 4096, 0)), 100));
    say("pipe_write_read_32768_bytes", TIMED((transfer(ends[1], 32768, 1), transfer(ends[0], 32768, 0)), 20));
    close(ends[0]);
    close(ends[1]);
    say("yield_alone", TIMED(sched_yield(), 1000));
    char *from = shared(1 << 20), *to = shared(1 << 20); /* given back, as every page makes a fork dearer */
    memset(from, 1, 1 << 20);
    say("memcpy_1_mib", TIMED(({ memcpy(to, from, 1 << 20); __asm__ volatile("" ::"r"(to) : "memory"); }), 1));
    munmap(from, 1 << 20);
    munmap(to, 1 << 20);
    munmap(pshared, sizeof *pshared);
    pthread_mutex_unlock(&ended);
    pthread_join(second, NULL);
}

/* ---- what a waker pays: a send that finds a receiver asleep, against one that finds none ---- */

struct sleeper { int pipe[2]; struct queue queue; int threads, cpu; atomic_int asked; };

static void *sleep_on(void *argument)
{
    struct sleeper *s = argument;
    pin(s->cpu);
    for (int i = 0; i < ROUNDS; i++)
        if (s->threads)
            queue_take(&s->queue);
        else
            transfer(s->pipe[0], 1, 0);
    return NULL;
}

static double wake(int threads, int cpu)
{
    struct sleeper *s = shared(sizeof *s);
    double took[ROUNDS];
    s->threads = threads;
    s->cpu = cpu;
    queue_init(&s->queue);
    if (pipe(s->pipe))
        exit(1);
    pthread_t other = 0;
    pid_t child = 0;
    if (threads)
        pthread_create(&other, NULL, sleep_on, s);
    else if (!(child = fork())) {
        sleep_on(s);
        _exit(0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        if (cpu == here) /* it takes the last one and goes to sleep again */
            sched_yield(), sched_yield();
        else
            spin(30000);
        int64_t begin = now();
        if (threads)
            queue_put(&s->queue);
        else
            transfer(s->pipe[1], 1, 1);
        took[i] = (double)(now() - begin);
    }
    if (threads)
        pthread_join(other, NULL);
    else
        waitpid(child, NULL, 0);
    close(s->pipe[0]);
    close(s->pipe[1]);
    munmap(s, sizeof *s);
    return median(took, ROUNDS);
}

static void wakes(void)
{
    say("clock", TIMED(now(), 1000));
    say("thread_send_to_sleeper", wake(1, here));
    say("process_send_to_sleeper", wake(0, here));
    if (there >= 0) {
        say("thread_send_to_idle_cpu", wake(1, there));
        say("process_send_to_idle_cpu", wake(0, there));
    }
}

/* ---- switching: tasks that yield to each other on one CPU ---- */

static void *yield_for(void *count)
{
    pin(here);
    for (int i = 0; i < *(int *)count; i++)
        sched_yield();
    return NULL;
}

static double yields(int threads, int tasks)
{
    int count = 4000 / tasks + 200;
    pthread_t other[16];
    pid_t child[16];
    double took[9];
    for (int r = 0; r < 9; r++) {
        for (int i = 1; i < tasks; i++)
            if (threads)
                pthread_create(&other[i], NULL, yield_for, &count);
            else if (!(child[i] = fork())) {
                yield_for(&count);
                _exit(0);
            }
        usleep(300);
        int64_t begin = now();
        yield_for(&count);
        took[r] = (double)(now() - begin) / count / tasks;
        for (int i = 1; i < tasks; i++)
            if (threads)
                pthread_join(other[i], NULL);
            else
                waitpid(child[i], NULL, 0);
    }
    return median(took, 9);
}

static void switches(void)
{
    char name[48];
    say("thread_yield_switch", yields(1, 2));
    for (int tasks = 2; tasks <= 16; tasks *= 2) {
        sprintf(name, "process_yield_switch_%d_spaces", tasks);
        say(name, yields(0, tasks));
    }
}

/* ---- creating and ending ---- */

static void *nothing(void *argument)
{
    return argument;
}

static void lives_of_processes(size_t resident, int rounds, double *create, double *whole)
{
    char *p = resident ? mmap(NULL, resident, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
    if (p)
        madvise(p, resident, MADV_NOHUGEPAGE), memset(p, 1, resident);
    double created[200], all[200];
    for (int i = 0; i < rounds; i++) {
        int64_t begin = now();
        pid_t child = fork();
        if (!child)
            _exit(0);
        int64_t after = now();
        waitpid(child, NULL, 0);
        created[i] = (double)(after - begin);
        all[i] = (double)(now() - begin);
    }
    if (p)
        munmap(p, resident);
    *create = median(created, rounds);
    *whole = median(all, rounds);
}

static void lives(void)
{
    double create, whole, created[200], all[200];
    char name[48];
    static const int mib[] = {0, 16, 64, 256};
    for (int i = 0; i < 4; i++) {
        lives_of_processes((size_t)mib[i] << 20, mib[i] > 64 ? 5 : mib[i] ? 15 : 150, &create, &whole);
        sprintf(name, "fork_%d_mib", mib[i]);
        say(name, create);
        sprintf(name, "fork_exit_wait_%d_mib", mib[i]);
        say(name, whole);
    }
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        int64_t begin = now();
        pthread_create(&thread, NULL, nothing, NULL);
        created[i] = (double)(now() - begin);
        pthread_join(thread, NULL);
        all[i] = (double)(now() - begin);
    }
    say("thread_create", median(created, 200));
    say("thread_create_exit_join", median(all, 200));
    double spawned[15];
    for (int i = 0; i < 15; i++) {
        int64_t begin = now();
        pid_t child = vfork();
        if (!child) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        waitpid(child, NULL, 0);
        spawned[i] = (double)(now() - begin);
    }
    say("vfork_exec_wait", median(spawned, 15));
}

/* Many at once, as programs do it: children that are created while others wait to run, each on a stack or in an
 * address space that has been used before or not. */
enum { MANY = 500 };
static double at_start[MANY];
static atomic_int started;

static void *gate_keeper(void *lock)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    at_start[atomic_fetch_add(&started, 1) % MANY] = (double)(t.tv_sec * 1000000000LL + t.tv_nsec);
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

static void crowds(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[MANY];
    double create[5], end[5];
    for (int r = 0; r < 5; r++) {
        pthread_mutex_lock(&lock);
        int64_t begin = now();
        for (int i = 0; i < MANY; i++)
            pthread_create(&threads[i], NULL, gate_keeper, &lock);
        create[r] = (double)(now() - begin) / MANY;
        pthread_mutex_unlock(&lock);
        begin = now();
        for (int i = 0; i < MANY; i++)
            pthread_join(threads[i], NULL);
        end[r] = (double)(now() - begin) / MANY;
    }
    say("thread_create_of_500", median(create, 5));
    say("thread_run_and_end_of_500", median(end, 5));
    say("thread_cpu_time_at_start", median(at_start, MANY));
    for (int r = 0; r < 5; r++) {
        pid_t children[MANY];
        int64_t begin = now();
        for (int i = 0; i < MANY; i++)
            if (!(children[i] = fork()))
                _exit(0);
        create[r] = (double)(now() - begin) / MANY;
        begin = now();
        for (int i = 0; i < MANY; i++)
            waitpid(children[i], NULL, 0);
        end[r] = (double)(now() - begin) / MANY;
    }
    say("process_create_of_500", median(create, 5));
    say("process_run_and_end_of_500", median(end, 5));
}

/* ---- timers, ticks, pages, caches ---- */

static double overshoot(int timerfd, int64_t ns, int rounds)
{
    double late[100];
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    for (int i = 0; i < rounds; i++) {
        struct timespec t = {0, ns};
        int64_t begin = now();
        if (timerfd) {
            struct itimerspec spec = {{0, 0}, t};
            uint64_t expiries;
            timerfd_settime(fd, 0, &spec, NULL);
            if (read(fd, &expiries, sizeof expiries) < 0)
                exit(1);
        } else
            nanosleep(&t, NULL);
        late[i] = (double)(now() - begin - ns);
    }
    close(fd);
    return median(late, rounds);
}

/* What a timer that nobody waits for takes from a loop of a fixed number of steps on its CPU. */
static double interrupted(void)
{
    enum { TIMERS = 64, ROUNDS_OF_BOTH = 15 };
    double took[2][ROUNDS_OF_BOTH];
    int fds[TIMERS];
    for (int i = 0; i < TIMERS; i++)
        fds[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    for (int r = 0; r < 2 * ROUNDS_OF_BOTH; r++) {
        for (int i = 0; i < TIMERS; i++) {
            struct itimerspec spec = {{0, 0}, {0, r % 2 ? 500000 + 100000 * i : 0}};
            timerfd_settime(fds[i], 0, &spec, NULL);
        }
        int64_t begin = now();
        steps(12000000);
        took[r % 2][r / 2] = (double)(now() - begin);
    }
    for (int i = 0; i < TIMERS; i++)
        close(fds[i]);
    return (median(took[1], ROUNDS_OF_BOTH) - median(took[0], ROUNDS_OF_BOTH)) / TIMERS;
}

static void timers(void)
{
    static const int us[] = {20, 100, 1000, 10000};
    char name[48];
    for (int i = 0; i < 4; i++) {
        int rounds = us[i] > 1000 ? 10 : us[i] > 100 ? 30 : 100;
        sprintf(name, "sleep_overshoot_%dus", us[i]);
        say(name, overshoot(0, us[i] * 1000, rounds));
        sprintf(name, "timer_overshoot_%dus", us[i]);
        say(name, overshoot(1, us[i] * 1000, rounds));
    }
    say("timer_slack", prctl(PR_GET_TIMERSLACK));
    say("timer_arm", TIMED(({ /* ahead of all others: the hardware's timer is set anew each time */
        static int fd;
        struct itimerspec spec = {{0, 0}, {0, 500000}};
        if (!fd)
            fd = timerfd_create(CLOCK_MONOTONIC, 0);
        timerfd_settime(fd, 0, &spec, NULL);
    }), 100));
    say("timer_interrupt", interrupted());
}

/* A loop that only reads the clock is held up by interrupts; those that come once a tick are the tick. */
static void ticks(void)
{
    struct timespec period;
    clock_getres(CLOCK_MONOTONIC_COARSE, &period);
    say("tick_period", (double)period.tv_nsec);
    double holdups[512];
    int count = 0;
    int64_t begin = now(), last = begin, least = 1 << 30;
    while (last - begin < 400000000 && count < 512) {
        int64_t t = now(), step = t - last;
        if (step < least)
            least = step;
        if (step > 500 && step < 30000)
            holdups[count++] = (double)step;
        last = t;
    }
    if (count > 40)
        say("tick", median(holdups, count) - (double)least);
}

/* A forked child that writes to what it shares with its parent, and how many such pages one has that does nothing. */
static void copies(void)
{
    enum { COUNT = 512, CHILDREN = 20 };
    double *took = shared(sizeof *took), each[9];
    char *p = mmap(NULL, COUNT * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, COUNT * 4096, MADV_NOHUGEPAGE);
    memset(p, 1, COUNT * 4096);
    for (int r = 0; r < 9; r++) {
        pid_t child = fork();
        if (!child) {
            int64_t begin = now();
            for (int i = 0; i < COUNT; i++)
                p[i * 4096] = 2;
            *took = (double)(now() - begin) / COUNT;
            _exit(0);
        }
        waitpid(child, NULL, 0);
        each[r] = *took;
    }
    say("copied_page", median(each, 9));
    munmap(p, COUNT * 4096);
    struct rusage before, after;
    getrusage(RUSAGE_CHILDREN, &before);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (!child)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    getrusage(RUSAGE_CHILDREN, &after);
    say("pages_copied_by_a_child", (double)(after.ru_minflt - before.ru_minflt) / CHILDREN);
}

/* Two CPUs that write to the same cache line in turn: what it takes the line to come over. */
static atomic_int turn;

static void *answer(void *rounds)
{
    pin(there);
    for (int i = 0; i < *(int *)rounds; i++) {
        while (atomic_load(&turn) != 1)
            ;
        atomic_store(&turn, 0);
    }
    return NULL;
}

static double line(void)
{
    enum { TURNS = 20000 };
    double each[5];
    for (int r = 0; r < 5; r++) {
        int rounds = TURNS;
        pthread_t other;
        pthread_create(&other, NULL, answer, &rounds);
        usleep(500);
        int64_t begin = now();
        for (int i = 0; i < TURNS; i++) {
            atomic_store(&turn, 1);
            while (atomic_load(&turn) != 0)
                ;
        }
        each[r] = (double)(now() - begin) / (2 * TURNS);
        pthread_join(other, NULL);
    }
    return median(each, 5);
}

/* Threads wait here, and may run there, when there goes idle: does it take one before a tick makes it? */
static atomic_llong began[4], idle_since;
static atomic_int ran_on[4], set_up;

static void *waiting_thread(void *number)
{
    int i = (int)(intptr_t)number;
    atomic_store(&began[i], now());
    ran_on[i] = sched_getcpu();
    spin(2000000);
    return NULL;
}

static void *until_idle(void *unused)
{
    (void)unused;
    pin(there);
    while (!atomic_load(&set_up))
        ;
    spin(300000);
    atomic_store(&idle_since, now());
    return NULL;
}

static int pulled_at_once(void)
{
    pthread_t other, waiting[4];
    pthread_attr_t only_here;
    cpu_set_t set;
    atomic_store(&set_up, 0);
    pthread_create(&other, NULL, until_idle, NULL);
    usleep(2000);
    CPU_ZERO(&set);
    CPU_SET(here, &set);
    pthread_attr_init(&only_here);
    pthread_attr_setaffinity_np(&only_here, sizeof set, &set);
    for (int i = 0; i < 4; i++)
        pthread_create(&waiting[i], &only_here, waiting_thread, (void *)(intptr_t)i);
    CPU_SET(there, &set);
    for (int i = 0; i < 4; i++)
        pthread_setaffinity_np(waiting[i], sizeof set, &set);
    atomic_store(&set_up, 1);
    int pulled = 0;
    for (int i = 0; i < 4; i++)
        pthread_join(waiting[i], NULL);
    pthread_join(other, NULL);
    for (int i = 0; i < 4; i++) {
        int64_t after = began[i] - idle_since;
        pulled |= ran_on[i] == there && after >= 0 && after < 200000;
    }
    return pulled;
}

static double pulls(void)
{
    int pulled = 0;
    for (int i = 0; i < 20; i++)
        pulled += pulled_at_once();
    return pulled / 20.0;
}

/* A thread that last ran here is woken from here while another CPU idles: does it move there? */
static void *report_cpu(void *argument)
{
    struct sleeper *s = argument;
    for (int i = 0; i < ROUNDS; i++) {
        queue_take(&s->queue);
        atomic_store(&s->asked, sched_getcpu() + 1);
    }
    return NULL;
}

static void placement(void)
{
    struct sleeper *s = shared(sizeof *s);
    pthread_t other;
    int moved = 0;
    queue_init(&s->queue);
    cpu_set_t both;
    CPU_ZERO(&both);
    CPU_SET(here, &both);
    CPU_SET(there, &both);
    sched_setaffinity(0, sizeof both, &both);
    pthread_create(&other, NULL, report_cpu, s);
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec pause = {0, 50000};
        nanosleep(&pause, NULL);
        int mine = sched_getcpu() + 1, last = atomic_exchange(&s->asked, 0);
        int64_t begin = now();
        queue_put(&s->queue);
        while (!atomic_load(&s->asked) && now() - begin < 200000)
            ;
        while (!atomic_load(&s->asked))
            sched_yield();
        moved += last == mine && atomic_load(&s->asked) != mine;
    }
    pthread_join(other, NULL);
    pin(here);
    say("wakeups_that_move_to_an_idle_cpu", (double)moved / ROUNDS);
    munmap(s, sizeof *s);
}

static void pages(void)
{
    enum { COUNT = 2048 };
    double took[7];
    for (int r = 0; r < 7; r++) {
        char *p = mmap(NULL, COUNT * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(p, COUNT * 4096, MADV_NOHUGEPAGE);
        int64_t begin = now();
        for (int i = 0; i < COUNT; i++)
            p[i * 4096] = 1;
        took[r] = (double)(now() - begin) / COUNT;
        munmap(p, COUNT * 4096);
    }
    say("page_fault", median(took, 7));
}

/* Each line says which is next, so that nothing is fetched ahead: what a program waits for at most. */
static void chain_lines(char *p, size_t bytes)
{
    size_t lines = bytes / 64; /* a power of two, so that the walk meets all */
    for (size_t i = 0; i < lines; i++)
        *(volatile size_t *)(p + i * 64) = (i * 5 + 3) % lines;
}

static double walk(const char *p, size_t bytes)
{
    size_t lines = bytes / 64, at = 0;
    int64_t begin = now();
    for (size_t i = 0; i < lines; i++)
        at = *(const volatile size_t *)(p + at * 64);
    return (double)(now() - begin);
}

static double refill(char *own, size_t bytes, char *others, size_t evicting)
{
    double warm[25], cold[25];
    chain_lines(own, bytes);
    chain_lines(others, evicting);
    for (int r = 0; r < 25; r++) {
        walk(own, bytes);
        warm[r] = walk(own, bytes);
        walk(others, evicting);
        cold[r] = walk(own, bytes);
    }
    return median(cold, 25) - median(warm, 25);
}

/* A footprint read again after another's data went through the caches, against the same undisturbed. */
static void caches(void)
{
    long l1 = sysconf(_SC_LEVEL1_DCACHE_SIZE), l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (l1 <= 0 || l2 <= 0)
        return;
    say("l1_bytes", (double)l1);
    say("l2_bytes", (double)l2);
    char *own = malloc(16 << 20), *others = malloc(16 << 20), name[48];
    memset(own, 1, 16 << 20);
    memset(others, 1, 16 << 20);
    say("l1_refill_of_16_kib", refill(own, 16 << 10, others, 1 << 18));
    say("l2_refill_of_256_kib", refill(own, 256 << 10, others, 4 << 20));
    for (int kib = 4; kib <= 4096; kib *= 4) {
        sprintf(name, "cache_refill_%d_kib", kib);
        say(name, refill(own, (size_t)kib << 10, others, 4 << 20));
    }
    free(own);
    free(others);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: calibrate CPU [OTHER_CPU]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    here = atoi(argv[1]);
    if (argc > 2)
        there = atoi(argv[2]);
    pin(here);
    spin(20000000);
    operations();
    wakes();
    switches();
    hand_overs();
    lives();
    crowds();
    stacks();
    timers();
    say("thirty_pauses", TIMED(pause_once(), 3000) * 30);
    ticks();
    pages();
    copies();
    if (there >= 0) {
        preemption();
        placement();
        say("pulls_by_a_cpu_that_goes_idle", pulls());
        say("line", line());
    }
    caches();
    return 0;
}
