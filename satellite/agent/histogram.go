package agent

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets that are at most 1/64 wide relative to
// their value. The zero value is ready; it is not safe for concurrent use.
type histogram struct {
	buckets [subBuckets * 40]int64 // up to 2^45 microseconds, which is a year
	count   int64
	max     time.Duration
}

const subBuckets = 64

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.buckets[min(bucketOf(uint64(d/time.Microsecond)), len(h.buckets)-1)]++
	h.count++
	h.max = max(h.max, d)
}

// bucketOf keeps the 7 leading bits of v: values below 128 have a bucket each,
// above it 64 share each power of two.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-7, 0)
	return shift*subBuckets + int(v>>shift)
}

// floorOf is the smallest value of a bucket, in microseconds.
func floorOf(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket/subBuckets - 1
	return uint64(bucket-shift*subBuckets) << shift
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

// quantile is the duration that the share q (0..1) of all stay below, exact to
// one bucket; 0 where nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := int64(q * float64(h.count-1))
	for i, n := range h.buckets {
		if rank -= n; rank < 0 {
			middle := (floorOf(i) + floorOf(i+1)) / 2
			return min(time.Duration(middle)*time.Microsecond, h.max)
		}
	}
	return h.max
}
