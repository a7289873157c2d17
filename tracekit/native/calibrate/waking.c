/* What wakeups take: of sleepers here and on other CPUs, which idle, have halted, or compute. */
#include "calibrate.h"
#include "messages.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- what a waker pays: a send that finds a receiver asleep, against one that finds none ---- */

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

void wakes(void)
{
    say("clock", TIMED(now(), 1000));
    say("thread_send_to_sleeper", wake(1, here));
    say("process_send_to_sleeper", wake(0, here));
    if (there >= 0) {
        say("thread_send_to_idle_cpu", wake(1, there));
        say("process_send_to_idle_cpu", wake(0, there));
    }
}

/* ---- what wakeups do beside a task that computes, and to a CPU that idles ---- */

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
void preemption(void)
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
