/* What it takes to hand over: from a send until the receiver's answer is back, on one CPU and on two. */
#include "calibrate.h"
#include "messages.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

char buffer[1 << 17];

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

struct measured hand_over(int threads, int size, int first, int second, int64_t work_ns)
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

void hand_overs(void)
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
