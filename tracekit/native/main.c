/* tracekit's runner: interprets a program as processes or as threads, for real.
 *
 * usage: runner FORM PROGRAM RESULT [log|idle]
 *
 * log notes the times of each step; idle starts no task, so that the memory of the runner itself can be measured.
 * FORM is process or thread. PROGRAM and RESULT are files of int64 in the machine's byte order; what they hold is
 * said in tracekit/native/wire.py. One line on standard error and exit code 1 when something can't be done.
 */
#include "runner.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

struct world *world;
volatile int64_t *variable;
static volatile pid_t supervisor;

void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    if (supervisor && getpid() != supervisor)
        kill(supervisor, SIGTERM);
    _exit(1);
}

/* Whoever ends the supervisor ends all that it started; so does the death of its own parent. */
static void end_all(int signal_number)
{
    (void)signal_number;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGKILL);
}

static void *shared(size_t bytes)
{
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static const int64_t *load(const char *path, int64_t *words)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat s;
    if (fd < 0 || fstat(fd, &s) < 0)
        die(path);
    void *p = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        die(path);
    close(fd);
    *words = s.st_size / 8;
    return p;
}

static void build_world(enum form form, const char *path, int logging)
{
    int64_t words;
    const int64_t *file = load(path, &words);
    world = shared(sizeof *world);
    *world = (struct world){.form = form, .logging = logging};
    world->tasks = file[0];
    world->segments = file[1];
    world->objects = file[2];
    world->main_returns = file[3];
    const int64_t *at = file + 4;
    world->task = (const struct task *)at;
    at += 5 * world->tasks;
    world->segment = (const struct segment *)at;
    at += 6 * world->segments;
    const struct object_spec *spec = (const struct object_spec *)at;
    world->object = shared((size_t)world->objects * sizeof *world->object);
    variable = calloc((size_t)world->objects + 1, sizeof *variable);
    if (!variable)
        die("calloc");
    world->life = shared((size_t)world->tasks * sizeof *world->life);
    if (logging)
        world->stamp = shared((size_t)world->segments * sizeof *world->stamp);
    for (int64_t i = 0; i < world->objects; i++)
        make_object(&world->object[i], &spec[i]);
    pthread_attr_init(&world->joinable);
    pthread_attr_init(&world->detached);
    pthread_attr_setdetachstate(&world->detached, PTHREAD_CREATE_DETACHED);
}

static void raise_limits(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a crash on purpose leaves no file */
}

/* The kernel takes memory of a group for each CPU by 64 pages (memcontrol.c: MEMCG_CHARGE_BATCH). A program runs on all
 * its CPUs, so that an idle runner has to take some on each too. */
static void touch_a_page_on_each_cpu(void)
{
    cpu_set_t all;
    sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        *(volatile char *)shared(4096) = 1;
    }
}

static void start_roots(int idle)
{
    if (idle)
        touch_a_page_on_each_cpu();
    for (int64_t i = 0; i < world->tasks; i++)
        if (world->task[i].start_ns >= 0 && !idle)
            spawn(i);
    /* Let every root reach the gate, so that none is still being created when time begins. */
    usleep(2000);
}

static void wait_for_all(void)
{
    int left;
    if (world->form == PROCESS)
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
            ;
    while ((left = atomic_load(&world->live)) > 0)
        futex_wait(&world->live, left);
}

static int64_t cpu_ns(const struct rusage *r)
{
    return (r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1000000000LL + (r->ru_utime.tv_usec + r->ru_stime.tv_usec) * 1000LL;
}

static void write_result(const char *path, const struct rusage *before, const struct rusage *after)
{
    FILE *out = fopen(path, "wb");
    if (!out)
        die(path);
    int64_t head[6] = {world->zero_ns,
                       cpu_ns(after) - cpu_ns(before),
                       after->ru_nvcsw - before->ru_nvcsw,
                       after->ru_nivcsw - before->ru_nivcsw,
                       world->logging,
                       (int64_t)(world->spins_per_ns * 1e6)};
    fwrite(head, sizeof head, 1, out);
    for (int64_t i = 0; i < world->tasks; i++)
        fwrite((int64_t[2]){world->life[i].started_ns, world->life[i].ended_ns}, 16, 1, out);
    if (world->logging)
        fwrite(world->stamp, sizeof *world->stamp, (size_t)world->segments, out);
    if (fclose(out))
        die(path);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: runner process|thread PROGRAM RESULT [log|idle]\n");
        return 2;
    }
    setsid(); /* a group of its own, to be ended as one */
    signal(SIGTERM, end_all);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "runner"); /* what a recording calls its tasks */
    supervisor = getpid();
    raise_limits();
    int idle = argc > 4 && !strcmp(argv[4], "idle");
    build_world(strcmp(argv[1], "process") ? THREAD : PROCESS, argv[2], argc > 4 && !idle);
    measure_spin();
    start_roots(idle);
    int who = world->form == PROCESS ? RUSAGE_CHILDREN : RUSAGE_SELF;
    struct rusage before, after;
    getrusage(who, &before);
    world->zero_ns = now_ns();
    atomic_store(&world->gate, 1);
    futex_wake(&world->gate);
    wait_for_all();
    getrusage(who, &after);
    write_result(argv[3], &before, &after);
    return 0;
}
