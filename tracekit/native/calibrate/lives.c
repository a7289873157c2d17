/* What creating and ending tasks takes, one at a time and many at once. */
#include "calibrate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

void lives(void)
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

void crowds(void)
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

/* What creating and ending threads does to their address space: stacks that nobody used before. */
enum { COUNT = 200, SIZE = 8 << 20 };

static char *map_stack(void)
{
    char *stack = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack + 4096, SIZE - 4096, PROT_READ | PROT_WRITE))
        exit(1);
    return stack;
}

static void use(char *stack)
{
    stack[SIZE - 100] = stack[SIZE - 5000] = 1;
}

void stacks(void)
{
    static char *stack[COUNT];
    double map[COUNT], advise[COUNT], unmap[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int64_t begin = now();
        stack[i] = map_stack();
        map[i] = (double)(now() - begin);
        use(stack[i]);
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

/* The same beside a thread that computes on another CPU, which has to be told that the pages are gone: what it takes to
 * have its answer, and what the interrupt takes from that thread. */
static atomic_int computing, told_all;
static double interrupted[2 * COUNT];
static int interrupts;

static void *compute(void *unused)
{
    (void)unused;
    pin(there);
    atomic_store(&computing, 1);
    for (int64_t at, last = now(); !atomic_load(&told_all); last = at) {
        at = now();
        if (at - last > 500 && interrupts < 2 * COUNT)
            interrupted[interrupts++] = (double)(at - last);
    }
    return NULL;
}

void shootdowns(void)
{
    static char *stack[COUNT];
    double unmap[COUNT];
    pthread_t other;
    pthread_create(&other, NULL, compute, NULL);
    while (!atomic_load(&computing))
        ;
    for (int i = 0; i < COUNT; i++)
        use(stack[i] = map_stack());
    interrupts = 0;
    for (int i = 0; i < COUNT; i++) {
        spin(20000);
        int64_t begin = now();
        munmap(stack[i], SIZE);
        unmap[i] = (double)(now() - begin);
    }
    atomic_store(&told_all, 1);
    pthread_join(other, NULL);
    say("unmap_stack_beside", median(unmap, COUNT));
    say("interrupted_by_unmap", interrupts ? median(interrupted, interrupts) : 0);
}
