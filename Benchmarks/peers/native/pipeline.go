// W7 with goroutines and channels: `pipeline W7 REPS`. Each stage is a goroutine, the slow one of W7.cpu also two of them.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

type stage func(int64) int64

func spin(seed, rounds uint64) uint64 {
	x := seed | 1
	for round := uint64(0); round < rounds; round++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

// Runs the numbers from first to last through the stages; the third has so many goroutines, and channels have so much room.
func run(first, last int64, stages [4]stage, third, room int, sink func(int64)) {
	input := make(chan int64, room)
	go func(output chan int64) {
		for item := first; item <= last; item++ {
			output <- item
		}
		close(output)
	}(input)
	for place, work := range stages {
		output := make(chan int64, room)
		width := 1
		if place == 2 {
			width = third
		}
		var workers sync.WaitGroup
		workers.Add(width)
		for worker := 0; worker < width; worker++ {
			go func(work stage, input, output chan int64) {
				for item := range input {
					output <- work(item)
				}
				workers.Done()
			}(work, input, output)
		}
		go func(output chan int64) {
			workers.Wait()
			close(output)
		}(output)
		input = output
	}
	for item := range input {
		sink(item)
	}
}

func measure(variant string, isFirst bool, body func() uint64) {
	start := time.Now()
	sum := body()
	fmt.Printf("R %s seconds s %.9f\n", variant, time.Since(start).Seconds())
	if isFirst {
		fmt.Printf("C %s %d\n", variant, sum)
	}
}

func main() {
	if len(os.Args) != 3 || os.Args[1] != "W7" {
		fmt.Fprintln(os.Stderr, "usage: pipeline W7 REPS")
		os.Exit(64)
	}
	repetitions, err := strconv.Atoi(os.Args[2])
	if err != nil || repetitions < 1 {
		fmt.Fprintln(os.Stderr, "pipeline: REPS is a number of at least 1")
		os.Exit(64)
	}
	trivial := [4]stage{
		func(x int64) int64 { return x + 1 }, func(x int64) int64 { return x * 3 },
		func(x int64) int64 { return x ^ 0x55 }, func(x int64) int64 { return x - 7 },
	}
	var heavy [4]stage
	for place, rounds := range [4]uint64{7000, 7000, 42000, 7000} {
		rounds := rounds
		heavy[place] = func(x int64) int64 { return int64(spin(uint64(x), rounds)) }
	}
	for repetition := 0; repetition < repetitions; repetition++ {
		measure("W7.trivial", repetition == 0, func() (total uint64) {
			run(0, 199999, trivial, 1, 128, func(item int64) { total += uint64(item) })
			return
		})
		for _, third := range []int{1, 2} {
			variant := [...]string{"W7.cpu.serial_stages", "W7.cpu.bottleneck_x2"}[third-1]
			measure(variant, repetition == 0, func() (total uint64) {
				run(1, 20000, heavy, third, 64, func(item int64) { total ^= uint64(item) })
				return
			})
		}
	}
}
