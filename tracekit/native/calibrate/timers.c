/* How late timers are, and what they and the tick take from the CPU. */
#include "calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* So many steps of which each needs the one before, whatever comes between them. */
static void __attribute__((noinline)) steps(int64_t count)
{
    uint64_t x = 1;
    for (int64_t i = 0; i < count; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        __asm__ volatile("" : "+r"(x));
    }
}

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

void timers(void)
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
void ticks(void)
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
