/* How two tasks pass messages to each other here: as processes over pipes, or as threads over a queue with a condition
 * variable or a futex. What is timed is inline, as a call of its own would be part of it. */
#ifndef TRACEKIT_MESSAGES_H
#define TRACEKIT_MESSAGES_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    int count;
};

enum { PIPES, CONDVARS, FUTEXES }; /* struct side's threads */

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

struct sleeper { int pipe[2]; struct queue queue; int threads, cpu; atomic_int asked; };

struct measured { double round_trip, latency; };

extern char buffer[1 << 17];

static inline void queue_init(struct queue *q)
{
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->filled, NULL);
    q->count = 0;
}

static inline void queue_put(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->count++;
    pthread_cond_signal(&q->filled);
    pthread_mutex_unlock(&q->mutex);
}

static inline void queue_take(struct queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (q->count == 0)
        pthread_cond_wait(&q->filled, &q->mutex);
    q->count--;
    pthread_mutex_unlock(&q->mutex);
}

static inline void transfer(int fd, int size, int writing)
{
    for (int done = 0; done < size;) {
        ssize_t n = writing ? write(fd, buffer, (size_t)(size - done)) : read(fd, buffer, (size_t)(size - done));
        if (n > 0)
            done += (int)n;
    }
}

struct measured hand_over(int threads, int size, int first, int second, int64_t work_ns);

#endif
