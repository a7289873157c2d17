"""What each built-in scenario claims, in parts that a replay can hold or break, and why it comes out so."""

from __future__ import annotations

from tracekit.report.judging import NOTHING, Claim, Compared, Part

_MAKESPAN = ("time to finish", "makespan")
_MEMORY = ("most physical memory held", "peak_resident")
_BARE = {"locked": 0, "stepped": 0, "sent": 0}
_WAITS = {"system calls": {"polled": 0}, "sockets": {"polled": 1}}

CLAIMS: dict[str, Claim] = {
    "context_switch": Claim(
        "Each hand-over between processes or threads is a wait, a wakeup and a switch in the kernel: "
        "microseconds. The Go runtime puts one goroutine aside and takes the next from its queue without asking "
        "the kernel: a quarter of a microsecond. What processes pay on top, a change of the memory mapping, is "
        "small beside the rest: the folklore that they switch many times slower than threads does not hold. (One CPU "
        "here: with two, each hand-over between pairs that sit on both waits for a CPU to wake.)",
        (
            Part("a hand-over between threads takes at least twice as long as between goroutines",
                 "thread makespan", "goroutine makespan", 2),
            Part("between processes it takes longer than between threads", "process makespan", "thread makespan", 1.02),
            Part("but not twice as long", "thread makespan", "process makespan", 0.5),
        ),
        (_MAKESPAN, ("CPU time spent on all that is not the work", "overhead_time:total")),
        cpus=1,  # on two it is chance which pairs share one, and which have to wake an idle one each time
    ),
    "thread_memory": Claim(
        "A thread takes a kernel stack, kernel structures and the first pages of its own stack. The 8 MiB that "
        "are reserved for that stack are address space, which costs nothing until it is touched. A process has "
        "page tables and written copies of pages besides. A goroutine is a small descriptor and a stack of 2 KiB.",
        (
            Part("a process holds at least twice the memory of a thread", "process peak_resident",
                 "thread peak_resident", 2),
            Part("a thread at least ten times that of a goroutine", "thread peak_resident", "goroutine peak_resident", 10),
            Part("threads reserve at least a hundred times what they hold", "thread peak_virtual",
                 "thread peak_resident", 100),
        ),
        (_MEMORY, ("most address space reserved", "peak_virtual")),
    ),
    "spawn_storm": Claim(
        "A new process copies page tables and gets an address space of its own (110 µs); a thread is a task of "
        "the kernel with a stack mapped for it (24 µs); a go statement takes 2 KiB from the heap and puts a "
        "pointer into a queue (0.35 µs).",
        (
            Part("creating processes takes at least twice the CPU time of creating threads",
                 "process overhead_time:spawn", "thread overhead_time:spawn", 2),
            Part("creating threads at least ten times that of goroutines", "thread overhead_time:spawn",
                 "goroutine overhead_time:spawn", 10),
            Part("goroutines hold the least memory", "thread peak_resident", "goroutine peak_resident", 1.5),
        ),
        (_MAKESPAN, _MEMORY),
    ),
    "fork_join": Claim(
        "The work is the same in all forms, and what differs is the price of a start. Beside 200 µs of work per "
        "child, 110 µs for a process are much, 24 µs for a thread are something and 0.35 µs for a goroutine are "
        "nothing.",
        (
            Part("processes take longest", "process makespan", "thread makespan", 1.05),
            Part("threads take longer than goroutines", "thread makespan", "goroutine makespan", 1.05),
        ),
        (_MAKESPAN, ("CPU time to create and end tasks", "overhead_time:spawn")),
    ),
    "mutex": Claim(
        "A goroutine that finds the lock taken costs little, as claimed. But while all others wait for the lock, "
        "the second CPU has no goroutine to run, so the kernel thread under it goes to sleep, and waking that "
        "costs what waking any thread does. With as few CPUs and as short a hold as here that eats up most of "
        "what the parking saves.",
        (
            Part("with threads the contended lock costs more CPU time than with goroutines", "thread overhead_time:total",
                 "goroutine overhead_time:total", 1.5),
            Part("the work is done later with threads", "thread makespan", "goroutine makespan", 1.05),
            Part("threads go through the kernel for it ten times as often",
                 "thread context_switches_voluntary", "goroutine context_switches_voluntary", 10),
        ),
        (_MAKESPAN, ("all overhead", "overhead_time:total")),
    ),
    "pipeline": Claim(
        "Each hand-over that finds the other side asleep is a wakeup: by the kernel for processes and threads, by "
        "the runtime for goroutines. Through a pipe the kernel copies each message twice besides; within one "
        "memory only a pointer is passed.",
        (
            Part("goroutines are done before threads", "thread makespan", "goroutine makespan", 1.05),
            Part("and threads before processes", "process makespan", "thread makespan", 1.05),
            Part("processes pay for copies, the others do not", "process overhead_time:ipc_copy",
                 "thread overhead_time:ipc_copy", 1),
        ),
        (_MAKESPAN, ("CPU time spent on copies", "overhead_time:ipc_copy")),
    ),
    "server": Claim(
        "A waiting connection costs the memory of its task, and that is where the forms differ most. They do not "
        "in requests a second: here the CPUs are idle more than half of the time, so what is spent on switches delays "
        "nobody. It would with more connections: `tracekit verdict server` finds from how many on.",
        (
            Part("overhead is at least a fifth of the threads' CPU time", "thread overhead_share:total", 0.2),
            Part("a thread per connection holds at least four times the memory", "thread peak_resident",
                 "goroutine peak_resident", 4),
            Part("goroutines answer more requests a second (5 % and more)", "goroutine requests_per_s",
                 "thread requests_per_s", 1.05),
        ),
        (("requests a second", "requests_per_s"), _MEMORY),
    ),
    "blocking_syscalls": Claim(
        "A P is the runtime's right to run Go code; there is one for each CPU. A goroutine that makes a system "
        "call takes its P along, and until the runtime's watchdog looks and gives the P to another thread, that "
        "CPU runs nothing: long enough, at 500 µs a call, to lose half of the CPU time. Waiting on a socket is "
        "different: the runtime asks the kernel to be told (the netpoller), and no thread waits.",
        (
            Part("Ps are handed on", "goroutine handoffs", 1),
            Part("the goroutines need several kernel threads for each CPU", "goroutine threads", 6),
            Part("the computing tasks are not held up: all is done about as soon as with threads", "thread makespan",
                 "goroutine makespan", 0.95),
        ),
        (_MAKESPAN, ("kernel threads", "threads"), ("Ps handed on to another thread", "handoffs")),
        compared=(
            Compared("kernel threads, by what the callers wait for", _WAITS, "threads"),
            Compared("memory held, by what the callers wait for", _WAITS, "peak_resident"),
        ),
    ),
    "work_stealing": Claim(
        "All work is made by one goroutine, which puts it into the queue of its own P. A P that has nothing to do "
        "takes half of another's queue. Without that, only the P with the queue works. The kernel does the like "
        "for processes and threads: it moves waiting ones to CPUs that are idle.",
        (
            Part("without stealing, goroutines take at least 1.3 times as long", "goroutine, no stealing makespan",
                 "goroutine makespan", 1.3),
            Part("work is stolen", "goroutine steals", 1),
            Part("without stealing a good part of the CPUs idles", "goroutine utilization",
                 "goroutine, no stealing utilization", 1.3),
        ),
        (_MAKESPAN, ("CPUs in use", "utilization"), ("work taken from another's queue", "steals"),
         ("CPU time that idled", "idle")),
        {"goroutine, no stealing": ("goroutine", {"goroutine.steal": 0})},
    ),
    "early_exit": Claim(
        "When main returns, its process ends, and with it whatever shares that process: threads and goroutines, "
        "finished or not. A child process is a process of its own; it goes on without its parent, as an orphan.",
        (
            Part("threads lose work", "thread work_lost", 1),
            Part("goroutines lose work", "goroutine work_lost", 1),
            Part("processes run on after main and lose none", "process makespan", "thread makespan", 1.05),
        ),
        (("work lost", "work_lost"), ("tasks cut off", "tasks_cut_off")),
    ),
    "crash": Claim(
        "The kernel ends the process that faults, and nothing else. Threads and goroutines are all in one "
        "process, so one bad request ends the work of all. (Go can recover a panic if the program asks for it in "
        "that goroutine; a fault of the memory, or a panic nobody catches, ends all.)",
        (
            Part("a crash of a thread takes at least ten times as many tasks as one of a process",
                 "thread tasks_cut_off", "process tasks_cut_off", 10),
            Part("a goroutine's panic as well", "goroutine tasks_cut_off", "process tasks_cut_off", 10),
            Part("and at least five times as many requests are lost", "thread requests_lost", "process requests_lost", 5),
        ),
        (("tasks cut off", "tasks_cut_off"), ("requests lost", "requests_lost"), ("work lost", "work_lost"),
         ("tasks left waiting for the dead", "tasks_left_waiting")),
    ),
    "data_race": Claim(
        "To increment is to read, to add and to write. When two tasks read the same value, one of the two additions is "
        "gone. Processes have a copy of the counter each after their start: no race, and main never sees a single "
        "addition. An atomic step or a lock orders the additions. So does leaving all of them to one owner who is sent "
        "a message for each: dear where the kernel carries the message, and for goroutines cheaper here than the lock.",
        (
            Part("threads lose updates of the bare counter", "thread lost:counter", 1),
            Part("goroutines lose some too", "goroutine lost:counter", 1),
            Part("processes lose all: each counts in a copy of its own", "process lost:counter", "thread lost:counter", 1),
            Part("nothing is lost with a mutex, an atomic or a channel (threads)", "thread lost:mended", NOTHING),
        ),
        (("updates lost of 100,000, bare counter", "lost:counter"),),
        overrides={"increments": 25_000},
        compared=(
            Compared("what main sees after a million increments", {"no lock": {"increments": 250_000, **_BARE}},
                     "ends:counter"),
            Compared("time per increment, by what protects the counter",
                     {"nothing": _BARE,
                      "a mutex": {"plain": 0, "stepped": 0, "sent": 0},
                      "an atomic": {"plain": 0, "locked": 0, "sent": 0},
                      "a channel": {"plain": 0, "locked": 0, "stepped": 0}}, "makespan", 100_000),
        ),
    ),
    "ipc_or_shared": Claim(
        "Through a pipe the kernel copies each message in and out again, so its price grows with its size. "
        "Between threads and goroutines a pointer is passed, whatever it points at.",
        (
            Part("at this size processes take at least three times as long as threads", "process makespan",
                 "thread makespan", 3),
            Part("threads copy nothing", "thread overhead_time:ipc_copy", NOTHING),
        ),
        (),
        sweep=("size", ("1", "16", "256", "1KiB", "4KiB", "16KiB", "64KiB", "256KiB", "1MiB")),
    ),
    "stack_growth": Claim(
        "A goroutine starts with 2 KiB; a call that needs more gets a stack of twice the size, and all of the old "
        "one is copied over: five times until 64 KiB. A thread's stack is reserved at once, and each page costs a "
        "fault when it is first touched: fourteen here. Growing is no dearer than touching.",
        (
            Part("growing costs goroutines time", "goroutine overhead_time:stack_growth", 1),
            Part("touching a stack that is there costs threads time too", "thread overhead_time:stack_growth", 1),
            Part("the pages cost threads more than the copies cost goroutines", "thread overhead_time:stack_growth",
                 "goroutine overhead_time:stack_growth", 1),
        ),
        (("time for stacks", "overhead_time:stack_growth"), _MEMORY),
    ),
    "global_queue": Claim(
        "The local queue of a P holds 256 goroutines. When it is full, half of it moves to the global queue, and "
        "so does every goroutine that yields; every 61st turn a P looks there first. So everybody has a turn "
        "before anybody has many.",
        (
            Part("idle Ps take work from others", "goroutine steals", 1),
            Part("the longest wait is less than half of the whole run: nobody starves", "goroutine makespan",
                 "goroutine run_queue_delay:max", 2),
            Part("threads, which the kernel preempts in turn, wait longer at the longest", "thread run_queue_delay:max",
                 "goroutine run_queue_delay:max", 1),
        ),
        (("longest wait in a queue", "run_queue_delay:max"), _MAKESPAN),
    ),
}  # fmt: skip
