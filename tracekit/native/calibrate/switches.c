/* What a switch takes: tasks that yield to each other on one CPU. */
#include "calibrate.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

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

void switches(void)
{
    char name[48];
    say("thread_yield_switch", yields(1, 2));
    for (int tasks = 2; tasks <= 16; tasks *= 2) {
        sprintf(name, "process_yield_switch_%d_spaces", tasks);
        say(name, yields(0, tasks));
    }
}
