// One round of measurements of Go's runtime on this machine: a line "NAME VALUE" each, in ns.
//
// usage: calibrate
//
// All but those called idle or two run on one P, so that what is measured is the operation and not who is awake.
package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

func say(name string, value float64) { fmt.Printf("%s %.3f\n", name, value) }

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// The middle of batches of an operation.
func timed(batches, each int, operation func(n int)) float64 {
	values := make([]float64, batches)
	for i := range values {
		begin := time.Now()
		operation(each)
		values[i] = float64(time.Since(begin)) / float64(each)
	}
	return median(values)
}

func operations() {
	buffered, mutex := make(chan struct{}, 1), sync.Mutex{}
	say("goroutine_channel", timed(101, 1000, func(n int) {
		for range n {
			buffered <- struct{}{}
			<-buffered
		}
	})/2)
	say("goroutine_lock", timed(101, 1000, func(n int) {
		for range n {
			mutex.Lock()
			mutex.Unlock()
		}
	})/2)
	say("goroutine_yield_alone", timed(101, 1000, func(n int) {
		for range n {
			runtime.Gosched()
		}
	}))
	say("goroutine_syscall", timed(101, 1000, func(n int) {
		for range n {
			syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
	}))
	say("goroutine_raw_syscall", timed(101, 1000, func(n int) {
		for range n {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
	}))
}

func handOver(rounds int) float64 {
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		for range there {
			back <- struct{}{}
		}
	}()
	each := timed(21, rounds, func(n int) {
		for range n {
			there <- struct{}{}
			<-back
		}
	})
	close(there)
	return each / 2
}

func yields() float64 {
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	each := timed(21, 1000, func(n int) {
		for range n {
			runtime.Gosched()
		}
	})
	close(stop)
	runtime.Gosched()
	return each / 2
}

// A send that finds its receiver waiting, the receiver not yet run.
func sendsToSleepers() float64 {
	const many = 200
	channels := make([]chan struct{}, many)
	for i := range channels {
		channels[i] = make(chan struct{})
	}
	values := make([]float64, 41)
	for i := range values {
		for _, c := range channels {
			go func() { <-c }()
		}
		runtime.Gosched()
		time.Sleep(time.Microsecond)
		begin := time.Now()
		for _, c := range channels {
			c <- struct{}{}
		}
		values[i] = float64(time.Since(begin)) / many
		runtime.Gosched()
	}
	return median(values)
}

func lives() {
	const many = 200 // fewer than a P's queue holds
	created, ended := make([]float64, 41), make([]float64, 41)
	for i := range created {
		var all sync.WaitGroup
		all.Add(many)
		begin := time.Now()
		for range many {
			go all.Done()
		}
		created[i] = float64(time.Since(begin)) / many
		begin = time.Now()
		all.Wait()
		ended[i] = float64(time.Since(begin)) / many
	}
	say("goroutine_create", median(created))
	say("goroutine_run_and_end", median(ended))
}

// Goroutines for which no dead one is left: each needs a stack of its own, from memory never touched before.
func firstLives() float64 {
	const many = 200
	values := make([]float64, 41)
	gate := make(chan struct{})
	for i := range values {
		begin := time.Now()
		for range many {
			go func() { <-gate }()
		}
		values[i] = float64(time.Since(begin)) / many
		runtime.Gosched()
	}
	close(gate)
	runtime.Gosched()
	return median(values)
}

//go:noinline
func deepen(kib int) byte {
	var frame [1024]byte
	frame[kib&1023] = 1
	if kib > 1 {
		frame[0] += deepen(kib - 1)
	}
	return frame[kib&511]
}

// The first descent of a new goroutine grows its stack; the second does not.
func stacks() {
	for _, kib := range []int{4, 16, 64, 256} {
		values := make([]float64, 31)
		for i := range values {
			grown := make(chan float64)
			go func() {
				begin := time.Now()
				deepen(kib)
				first := time.Since(begin)
				begin = time.Now()
				deepen(kib)
				grown <- float64(first - time.Since(begin))
			}()
			values[i] = <-grown
		}
		say(fmt.Sprintf("stack_growth_to_%d_kib", kib), median(values))
	}
}

func sleeps() {
	for _, us := range []int{20, 100, 1000, 10000} {
		wanted := time.Duration(us) * time.Microsecond
		values := make([]float64, min(100, 200000/us))
		for i := range values {
			begin := time.Now()
			time.Sleep(wanted)
			values[i] = float64(time.Since(begin) - wanted)
		}
		say(fmt.Sprintf("goroutine_sleep_overshoot_%dus", us), median(values))
	}
}

func main() {
	cpus := runtime.GOMAXPROCS(1)
	timed(20, 1000, func(n int) { // let the clock speed up
		for range n {
			time.Now()
		}
	})
	operations()
	say("goroutine_hand_over", handOver(1000))
	say("goroutine_yield_switch", yields())
	say("goroutine_send_to_sleeper", sendsToSleepers())
	lives()
	stacks()
	sleeps()
	say("goroutine_create_new", firstLives())
	if cpus > 1 {
		runtime.GOMAXPROCS(2)
		say("goroutine_hand_over_two_ps", handOver(1000))
	}
}
