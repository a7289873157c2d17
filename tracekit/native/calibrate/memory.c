/* What memory takes: pages first touched or copied, lines of the caches filled again or fetched from another CPU. */
#include "calibrate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void pages(void)
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

/* A forked child that writes to what it shares with its parent, and how many such pages one has that does nothing. */
void copies(void)
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

void line(void)
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
    say("line", median(each, 5));
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
void caches(void)
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
