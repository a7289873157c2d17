/* Where the kernel puts threads: whether they move to a CPU that idles, when they wake and while they wait. */
#include "calibrate.h"
#include "messages.h"

#include <sched.h>
#include <sys/mman.h>

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

void placement(void)
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

void pulls(void)
{
    int pulled = 0;
    for (int i = 0; i < 20; i++)
        pulled += pulled_at_once();
    say("pulls_by_a_cpu_that_goes_idle", pulled / 20.0);
}
