package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// work does operations and tells how many. It is called by one goroutine at a time.
type work func() (int, error)

// way is one way of doing a thing: the works of its clients, made anew for every measurement, or whoever else takes a sample.
type way struct {
	name   string
	setUp  func(ctx context.Context, clients int) (works []work, tearDown func(), err error)
	sample func(ctx context.Context, clients int, span time.Duration) (sample, error) // instead of setUp
}

// sample is one measurement: what was done in its time, and how long each piece of work took.
type sample struct {
	Operations int
	Times      []time.Duration
}

// result is what was measured of a way: operations per second by round, and the times of single operations of all rounds.
type result struct {
	rates []float64
	times []time.Duration
}

// measureAll measures the ways in turn, for as many rounds as there are, each round beginning with another one.
func measureAll(ctx context.Context, ways []way, clients, rounds int, span time.Duration) ([]result, error) {
	results := make([]result, len(ways))
	for round := range rounds {
		for i := range ways {
			n := (i + round) % len(ways)
			if err := measure(ctx, ways[n], clients, span, &results[n]); err != nil {
				return nil, fmt.Errorf("%s: %w", ways[n].name, err)
			}
		}
	}
	return results, nil
}

func measure(ctx context.Context, w way, clients int, span time.Duration, r *result) error {
	taken, err := w.take(ctx, clients, span)
	if err != nil {
		return err
	}
	r.rates = append(r.rates, float64(taken.Operations)/span.Seconds())
	r.times = append(r.times, taken.Times...)
	return ctx.Err()
}

func (w way) take(ctx context.Context, clients int, span time.Duration) (sample, error) {
	if w.sample != nil {
		return w.sample(ctx, clients, span)
	}
	works, tearDown, err := w.setUp(ctx, clients)
	if err != nil {
		return sample{}, err
	}
	defer tearDown()
	return takeSample(ctx, works, span)
}

// takeSample lets everybody work for a while, and counts what is begun after a tenth of it.
func takeSample(ctx context.Context, works []work, span time.Duration) (sample, error) {
	warm := time.Now().Add(span / 10)
	end := warm.Add(span)
	times := make([][]time.Duration, len(works))
	counts := make([]int, len(works))
	errs := make(chan error, len(works))
	var group sync.WaitGroup
	for i, do := range works {
		group.Go(func() {
			for {
				began := time.Now()
				if began.After(end) || ctx.Err() != nil {
					return
				}
				n, err := do()
				if err != nil {
					errs <- err
					return
				}
				if began.After(warm) {
					counts[i] += n
					times[i] = append(times[i], time.Since(began))
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return sample{}, err
	default:
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	return sample{Operations: total, Times: slices.Concat(times...)}, nil
}

func (r result) rate() float64 { return median(r.rates) }

func (r result) percentile(p int) time.Duration {
	slices.Sort(r.times)
	return r.times[min(len(r.times)*p/100, len(r.times)-1)]
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// table prints the ways beside the first one.
func table(out io.Writer, ways []way, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(w, "per second\tto the first\tp50\tp99\tslowest and quickest round\t  \n")
	for i, r := range results {
		_, _ = fmt.Fprintf(w, "%.0f\t%.2f\t%v\t%v\t%.0f to %.0f\t  %s\n", r.rate(), r.rate()/results[0].rate(),
			r.percentile(50).Round(10*time.Microsecond), r.percentile(99).Round(10*time.Microsecond),
			slices.Min(r.rates), slices.Max(r.rates), ways[i].name)
	}
	return w.Flush()
}
