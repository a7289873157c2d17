// tracekit's runner for goroutines: interprets a program with Go's own primitives.
//
// usage: runner PROGRAM RESULT [-log] [-trace FILE] [idle]
//
// The files are those of the C runner (tracekit/native/wire.py). codes.go is made from tracekit's vocabulary when
// the runner is built.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type segment struct{ kind, duration, object, target, bytes, count int64 }
type task struct{ first, end, start, joins, own int64 }

type object struct {
	kind, capacity, bytes int64
	mutex                 sync.Mutex
	rwmutex               sync.RWMutex
	channel               chan []byte
	tokens                chan struct{} // of an event or a semaphore
	group                 sync.WaitGroup
	value                 int64 // of a variable: plain, so that a race is a race
}

type life struct {
	started, ended int64
	over           chan struct{} // where somebody joins it
}

type stamp struct{ entered, left int64 }

var (
	tasks      []task
	segments   []segment
	objects    []object
	lives      []life
	stamps     []stamp
	live       sync.WaitGroup
	gate       = make(chan struct{})
	zero       int64
	spinsPerNs float64
	sink       atomic.Uint64
)

// Whether the end of the first task is the program's, and that it has come.
var mainReturns, mainOver = false, make(chan struct{})

func die(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(1)
}

const clockMonotonic = 1

func now() int64 {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

// Go's own monotonic clock is read without a system call; its offset to CLOCK_MONOTONIC is taken once.
var started, startedAt = time.Now(), now()

func clock() int64 { return startedAt + int64(time.Since(started)) }

// Each step needs the one before: the same chain as the C runner's.
//
//go:noinline
func chain(steps int64, x uint64) uint64 {
	for i := int64(0); i < steps; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

func measureSpin() {
	const steps = 100000
	best := int64(1 << 62)
	for i := 0; i < 100; i++ {
		begin := clock()
		sink.Store(chain(steps, uint64(i)))
		best = min(best, clock()-begin)
	}
	spinsPerNs = steps / float64(best)
}

func spin(ns int64) {
	if chain(int64(float64(ns)*spinsPerNs), uint64(ns)) == 1 {
		sink.Add(1)
	}
}

func read(path string) []int64 {
	raw, err := os.ReadFile(path)
	if err != nil {
		die("can't read the program", err)
	}
	words := make([]int64, len(raw)/8)
	for i := range words {
		words[i] = int64(binary.NativeEndian.Uint64(raw[8*i:]))
	}
	return words
}

func load(path string, logging bool) {
	words := read(path)
	tasks, segments, objects = make([]task, words[0]), make([]segment, words[1]), make([]object, words[2])
	mainReturns = words[3] == 1
	at := words[4:]
	for i := range tasks {
		tasks[i] = task{at[0], at[1], at[2], at[3], at[4]}
		at = at[5:]
	}
	for i := range segments {
		segments[i] = segment{at[0], at[1], at[2], at[3], at[4], at[5]}
		at = at[6:]
	}
	for i := range objects {
		objects[i].kind, objects[i].capacity, objects[i].bytes = at[0], at[1], at[2]
		at = at[3:]
	}
	lives = make([]life, len(tasks))
	for i := range tasks {
		if tasks[i].joins > 0 {
			lives[i].over = make(chan struct{})
		}
	}
	if logging {
		stamps = make([]stamp, len(segments))
	}
	makeObjects()
}

func makeObjects() {
	signals := make([]int, len(objects))
	for _, s := range segments {
		if s.kind == segSignal {
			signals[s.object]++
		}
	}
	for i := range objects {
		o := &objects[i]
		switch o.kind {
		case objChannel:
			o.channel = make(chan []byte, o.capacity)
		case objEvent, objSemaphore: // a buffered channel is how Go counts
			o.tokens = make(chan struct{}, int(o.capacity)+signals[i])
			for range o.capacity {
				o.tokens <- struct{}{}
			}
		}
	}
}

// A timerfd behind Go's poller (pollable), or read by a plain system call that blocks the thread.
type waiter struct {
	file *os.File
	fd   int
}

const nonblock = 0o4000

func newWaiter(pollable bool) *waiter {
	flags := uintptr(0)
	if pollable {
		flags = nonblock
	}
	create, _ := timerfdCalls()
	fd, _, errno := syscall.Syscall(create, clockMonotonic, flags, 0)
	if errno != 0 {
		die("timerfd_create", errno)
	}
	w := &waiter{fd: int(fd)}
	if pollable {
		w.file = os.NewFile(fd, "timer")
	}
	return w
}

// Numbers of timerfd_create and timerfd_settime, which package syscall does not have for all.
func timerfdCalls() (create, settime uintptr) {
	if runtime.GOARCH == "arm64" {
		return 85, 86
	}
	return 283, 286
}

func (w *waiter) wait(ns int64) {
	spec := [2]syscall.Timespec{{}, syscall.NsecToTimespec(max(ns, 1))}
	_, settime := timerfdCalls()
	syscall.RawSyscall6(settime, uintptr(w.fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	var expiries [8]byte
	if w.file != nil {
		w.file.Read(expiries[:])
	} else {
		syscall.Read(w.fd, expiries[:])
	}
}

type own struct {
	pollable, blocking *waiter
	lastRead           int64
}

func (w *own) network(ns int64) {
	if w.pollable == nil {
		w.pollable = newWaiter(true)
	}
	w.pollable.wait(ns)
}

func (w *own) system(ns int64) {
	if w.blocking == nil {
		w.blocking = newWaiter(false)
	}
	w.blocking.wait(ns)
}

func (w *own) close() {
	if w.pollable != nil {
		w.pollable.file.Close()
	}
	if w.blocking != nil {
		syscall.Close(w.blocking.fd)
	}
}

//go:noinline
func deepen(bytes int64) byte {
	var frame [1024]byte
	frame[bytes&1023] = 1
	if bytes > 1024 {
		frame[0] += deepen(bytes - 1024)
	}
	return frame[bytes&511]
}

func step(s *segment, w *own) bool {
	var o *object
	if s.object >= 0 {
		o = &objects[s.object]
	}
	switch s.kind {
	case segCompute:
		spin(s.duration)
	case segSleep:
		time.Sleep(time.Duration(s.duration))
	case segNetwork:
		w.network(s.duration)
	case segArrival:
		if wait := zero + s.duration - clock(); wait > 0 {
			w.network(wait)
		}
	case segIo, segSyscall:
		w.system(s.duration)
	case segYield:
		runtime.Gosched()
	case segLock:
		if s.count == 1 {
			o.rwmutex.Lock()
		} else {
			o.mutex.Lock()
		}
	case segUnlock:
		if s.count == 1 {
			o.rwmutex.Unlock()
		} else {
			o.mutex.Unlock()
		}
	case segReadLock:
		o.rwmutex.RLock()
	case segReadUnlock:
		o.rwmutex.RUnlock()
	case segSend:
		o.channel <- nil
	case segRecv:
		<-o.channel
	case segWait:
		<-o.tokens
	case segSignal:
		o.tokens <- struct{}{}
	case segSpawn:
		spawn(s.target)
	case segJoin:
		<-lives[s.target].over
	case segWaitGroupAdd:
		o.group.Add(int(s.count))
	case segWaitGroupDone:
		o.group.Done()
	case segWaitGroupWait:
		o.group.Wait()
	case segStack:
		sink.Add(uint64(deepen(s.bytes)))
	case segRequest:
	case segRead:
		w.lastRead = o.value
	case segWrite:
		o.value = w.lastRead + s.count
	case segAtomic:
		atomic.AddInt64(&o.value, s.count)
	case segCrash:
		panic("a crash, as the program says")
	case segExit:
		return false
	default:
		die("a step that this runner does not know", fmt.Errorf("kind %d", s.kind))
	}
	return true
}

func spawn(target int64) {
	live.Add(1)
	go run(target)
}

func run(id int64) {
	t := &tasks[id]
	if t.start >= 0 {
		<-gate
		if t.start > 0 {
			time.Sleep(time.Duration(zero + t.start - clock()))
		}
	}
	var w own
	lives[id].started = clock()
	for at := t.first; at < t.end; at++ {
		var entered int64
		if stamps != nil {
			entered = clock()
		}
		more := step(&segments[at], &w)
		if stamps != nil {
			stamps[at] = stamp{entered, clock()}
		}
		if !more {
			break
		}
	}
	lives[id].ended = clock()
	if t.joins > 0 {
		close(lives[id].over)
	}
	w.close()
	if mainReturns && id == 0 {
		close(mainOver)
	}
	live.Done()
}

// All have ended, or main has returned, which ends the others with the program.
func waitForAll() {
	if !mainReturns {
		live.Wait()
		return
	}
	allOver := make(chan struct{})
	go func() {
		live.Wait()
		close(allOver)
	}()
	select {
	case <-allOver:
	case <-mainOver:
	}
}

func write(path string, before, after *syscall.Rusage) {
	file, err := os.Create(path)
	if err != nil {
		die("can't write the result", err)
	}
	out := bufio.NewWriter(file)
	put := func(values ...int64) { binary.Write(out, binary.NativeEndian, values) }
	logged := int64(0)
	if stamps != nil {
		logged = 1
	}
	cpu := func(r *syscall.Rusage) int64 { return r.Utime.Nano() + r.Stime.Nano() }
	put(zero, cpu(after)-cpu(before), after.Nvcsw-before.Nvcsw, after.Nivcsw-before.Nivcsw, logged, int64(spinsPerNs*1e6))
	for i := range lives {
		put(lives[i].started, lives[i].ended)
	}
	for i := range stamps {
		put(stamps[i].entered, stamps[i].left)
	}
	if err := out.Flush(); err != nil {
		die("can't write the result", err)
	}
	file.Close()
}

func raiseLimits() {
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	limit.Cur = limit.Max
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// Let every root reach the gate, and the runtime its steady state: with nothing to do for 24 ms, sysmon looks only
// every 10 ms (proc.go, sysmon). Else how often it looks would depend on how long measureSpin took.
func settle() {
	time.Sleep(2 * time.Millisecond)
	spin(60_000_000)
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: runner PROGRAM RESULT [-log] [-trace FILE] [idle]")
		os.Exit(2)
	}
	logging, idle, tracing := false, false, ""
	for i, argument := range os.Args[3:] {
		if argument == "-log" {
			logging = true
		} else if argument == "idle" { // start no task: what is left is the runner's own memory
			idle = true
		} else if argument == "-trace" && i+4 < len(os.Args) {
			tracing = os.Args[i+4]
		}
	}
	signal.Ignore(syscall.SIGINT)                                                         // whoever started the runner ends it,
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0) // and dies not without it
	raiseLimits()
	load(os.Args[1], logging)
	measureSpin()
	for i := range tasks {
		if tasks[i].start >= 0 && !idle {
			spawn(int64(i))
		}
	}
	settle()
	stop := startTrace(tracing)
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	zero = clock()
	close(gate)
	waitForAll()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	stop()
	write(os.Args[2], &before, &after)
}

func startTrace(path string) func() {
	if path == "" {
		return func() {}
	}
	file, err := os.Create(path)
	if err == nil {
		err = trace.Start(file)
	}
	if err != nil {
		die("can't record", err)
	}
	return func() {
		trace.Stop()
		file.Close()
	}
}
