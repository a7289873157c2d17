/* What operations take that nobody waits for. */
#include "calibrate.h"
#include "messages.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static void *wait_for_end(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

void operations(void)
{
    /* glibc locks without atomic operations while there is one thread: no program that needs a lock is so. */
    pthread_mutex_t ended = PTHREAD_MUTEX_INITIALIZER;
    pthread_t second;
    pthread_mutex_lock(&ended);
    pthread_create(&second, NULL, wait_for_end, &ended);
    usleep(1000);
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, *pshared = shared(sizeof *pshared);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(pshared, &attr);
    say("syscall", TIMED(syscall(SYS_getppid), 1000));
    static int refused;
    say("thread_futex_refused", TIMED(syscall(SYS_futex, &refused, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), 1000));
    say("process_futex_refused", TIMED(syscall(SYS_futex, &refused, FUTEX_WAIT, 1, NULL, NULL, 0), 1000));
    say("thread_lock", TIMED((pthread_mutex_lock(&plain), pthread_mutex_unlock(&plain)), 1000) / 2);
    say("process_lock", TIMED((pthread_mutex_lock(pshared), pthread_mutex_unlock(pshared)), 1000) / 2);
    struct queue q;
    queue_init(&q);
    say("thread_channel", TIMED((queue_put(&q), queue_take(&q)), 1000) / 2);
    int ends[2];
    if (pipe(ends))
        exit(1);
    say("pipe_write_read_1_byte", TIMED((transfer(ends[1], 1, 1), transfer(ends[0], 1, 0)), 300));
    say("pipe_write_read_4096_bytes", TIMED((transfer(ends[1], 4096, 1), transfer(ends[0], 4096, 0)), 100));
    say("pipe_write_read_32768_bytes", TIMED((transfer(ends[1], 32768, 1), transfer(ends[0], 32768, 0)), 20));
    close(ends[0]);
    close(ends[1]);
    say("yield_alone", TIMED(sched_yield(), 1000));
    char *from = shared(1 << 20), *to = shared(1 << 20); /* given back, as every page makes a fork dearer */
    memset(from, 1, 1 << 20);
    say("memcpy_1_mib", TIMED(({ memcpy(to, from, 1 << 20); __asm__ volatile("" ::"r"(to) : "memory"); }), 1));
    munmap(from, 1 << 20);
    munmap(to, 1 << 20);
    munmap(pshared, sizeof *pshared);
    pthread_mutex_unlock(&ended);
    pthread_join(second, NULL);
}

static void pause_once(void)
{
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void pauses(void)
{
    say("thirty_pauses", TIMED(pause_once(), 3000) * 30);
}
