/* Channels and the other objects, as each form has them: pipes between processes; a mutex, a queue and condition
 * variables between threads. Threads hand over a pointer, so nothing is copied; a pipe copies twice. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATOMIC_WRITE 4096 /* PIPE_BUF: larger writes of several writers may mix (pipe(7)) */

void futex_wait(atomic_int *word, int value)
{
    syscall(SYS_futex, word, world->form == PROCESS ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void futex_wake(atomic_int *word)
{
    syscall(SYS_futex, word, world->form == PROCESS ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static void make_pipe(struct object *o)
{
    if (pipe(o->fds) < 0)
        die("pipe");
    int64_t wanted = o->capacity * o->bytes;
    int64_t size = 4096;
    while (size < wanted && size < (1 << 20))
        size *= 2;
    if (fcntl(o->fds[1], F_SETPIPE_SZ, (int)size) < 0 && errno != EPERM && errno != EBUSY)
        die("F_SETPIPE_SZ");
}

void make_object(struct object *o, const struct object_spec *spec)
{
    int shared = world->form == PROCESS;
    pthread_mutexattr_t mutex;
    pthread_rwlockattr_t rwlock;
    pthread_condattr_t cond;
    pthread_mutexattr_init(&mutex);
    pthread_rwlockattr_init(&rwlock);
    pthread_condattr_init(&cond);
    if (shared) {
        pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
        pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
        pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    }
    /* As in Go and in the model: a waiting writer keeps new readers out. */
    pthread_rwlockattr_setkind_np(&rwlock, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_mutex_init(&o->mutex, &mutex);
    pthread_rwlock_init(&o->rwlock, &rwlock);
    pthread_cond_init(&o->readable, &cond);
    pthread_cond_init(&o->writable, &cond);
    sem_init(&o->semaphore, shared, (unsigned)spec->capacity);
    o->capacity = spec->capacity;
    o->bytes = spec->bytes > 0 ? spec->bytes : 1;
    if (spec->kind == OBJ_CHANNEL && world->form == PROCESS)
        make_pipe(o);
}

static void transfer(struct object *o, int writing)
{
    static _Thread_local char *buffer;
    static _Thread_local int64_t room;
    if (room < o->bytes) {
        buffer = realloc(buffer, (size_t)o->bytes);
        room = o->bytes;
        if (!buffer)
            die("realloc");
        memset(buffer, 1, (size_t)o->bytes);
    }
    int whole = o->bytes <= ATOMIC_WRITE;
    if (!whole && !writing)
        pthread_mutex_lock(&o->mutex);
    int64_t done = 0;
    while (done < o->bytes) {
        ssize_t n = writing ? write(o->fds[1], buffer + done, (size_t)(o->bytes - done))
                            : read(o->fds[0], buffer + done, (size_t)(o->bytes - done));
        if (n < 0 && errno != EINTR)
            die(writing ? "write to a pipe" : "read from a pipe");
        if (n > 0)
            done += n;
    }
    if (!whole && !writing)
        pthread_mutex_unlock(&o->mutex);
}

static void ring_send(struct object *o)
{
    int64_t room = o->capacity > 0 ? o->capacity : 1; /* a queue between threads always has room for one */
    pthread_mutex_lock(&o->mutex);
    while (o->count >= room)
        pthread_cond_wait(&o->writable, &o->mutex);
    o->count++;
    pthread_cond_signal(&o->readable);
    pthread_mutex_unlock(&o->mutex);
}

static void ring_recv(struct object *o)
{
    pthread_mutex_lock(&o->mutex);
    while (o->count == 0)
        pthread_cond_wait(&o->readable, &o->mutex);
    o->count--;
    pthread_cond_signal(&o->writable);
    pthread_mutex_unlock(&o->mutex);
}

void channel_send(struct object *o, int64_t bytes)
{
    (void)bytes; /* every message of a channel is as long as its longest: pipes have no borders */
    if (world->form == THREAD) {
        ring_send(o);
        return;
    }
    int guarded = o->bytes > ATOMIC_WRITE;
    if (guarded)
        pthread_rwlock_wrlock(&o->rwlock);
    transfer(o, 1);
    if (guarded)
        pthread_rwlock_unlock(&o->rwlock);
}

void channel_recv(struct object *o)
{
    if (world->form == THREAD)
        ring_recv(o);
    else
        transfer(o, 0);
}
