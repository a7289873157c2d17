/* One round of measurements of this machine: a line "NAME VALUE" each, in ns unless the name says otherwise.
 *
 * usage: calibrate CPU [OTHER_CPU]
 *
 * What is measured is what a model charges: each hand-over is the sum of an operation, a wake, a block and a switch,
 * and tracekit/machine/calibrate/derive.py takes the sums apart. Every figure is the median of many.
 */
#include "calibrate.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

int here, there = -1;

void pin(int cpu)
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

double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void say(const char *name, double value)
{
    printf("%s %.3f\n", name, value);
}

void spin(int64_t ns)
{
    int64_t until = now() + ns;
    while (now() < until)
        ;
}

void *shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return p;
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
    pauses();
    ticks();
    pages();
    copies();
    if (there >= 0) {
        preemption();
        placement();
        pulls();
        line();
        shootdowns();
    }
    caches();
    return 0;
}
