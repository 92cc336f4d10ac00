package agent

import (
	"testing"
	"time"
)

func TestABucketHoldsItsValueWithinOnePartIn64(t *testing.T) {
	t.Parallel()
	for v := uint64(0); v < 1<<40; v += v/1000 + 1 {
		b := bucketOf(v)
		low, high := floorOf(b), floorOf(b+1)
		if v < low || v >= high {
			t.Fatalf("%d is in the bucket from %d to %d", v, low, high)
		}
		if width := high - low; width > max(1, low/subBuckets) {
			t.Fatalf("the bucket of %d is %d wide", v, width)
		}
	}
}

func TestQuantilesOfMergedHistograms(t *testing.T) {
	t.Parallel()
	var all, even, odd histogram
	for i := range 1000 {
		part := &even
		if i%2 == 1 {
			part = &odd
		}
		part.add(time.Duration(i+1) * time.Millisecond)
	}
	all.merge(&even)
	all.merge(&odd)
	for q, want := range map[float64]time.Duration{0: time.Millisecond, 0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := all.quantile(q); (got - want).Abs() > want/50 {
			t.Errorf("quantile %v: %s, want about %s", q, got, want)
		}
	}
	if all.count != 1000 || all.max != time.Second {
		t.Errorf("count %d, max %s", all.count, all.max)
	}
	if got := new(histogram).quantile(0.99); got != 0 {
		t.Errorf("of nothing: %s", got)
	}
}
