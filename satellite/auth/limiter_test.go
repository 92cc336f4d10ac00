package auth_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"ssm/satellite/auth"
)

// testClock is a clock that only the test moves.
type testClock struct {
	mutex sync.Mutex
	at    time.Time
}

func newClock() *testClock { return &testClock{at: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)} }

func (c *testClock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.at = c.at.Add(d)
}

const (
	office   = "192.0.2.10"
	stranger = "198.51.100.66"
	admin    = "admin@example.com"
)

// failTimes tries and fails as often as it is allowed, waiting where it must.
func failTimes(clock *testClock, limiter *auth.Limiter, address, email string, times int) (waited time.Duration) {
	for range times {
		for {
			wait, ok := limiter.Allow(address, email)
			if ok {
				break
			}
			clock.advance(wait)
			waited += wait
		}
		limiter.Failed(address, email)
	}
	return waited
}

func TestGuessingGetsSlowerAndSlower(t *testing.T) {
	t.Parallel()
	clock := newClock()
	limiter := auth.NewLimiter(clock.now)
	if waited := failTimes(clock, limiter, stranger, admin, 5); waited != 0 {
		t.Errorf("five typing errors cost %s", waited)
	}
	for i, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
		want := time.Duration(seconds) * time.Second
		wait, ok := limiter.Allow(stranger, admin)
		if ok || wait != want {
			t.Fatalf("after failure %d: wait %s, %v; want %s", 5+i, wait, ok, want)
		}
		failTimes(clock, limiter, stranger, admin, 1)
	}
	clock.advance(time.Hour)
	if wait, ok := limiter.Allow(stranger, admin); !ok {
		t.Errorf("an hour later still %s", wait)
	}
}

func TestAStrangerCannotLockTheAdministratorOut(t *testing.T) {
	t.Parallel()
	clock := newClock()
	limiter := auth.NewLimiter(clock.now)
	failTimes(clock, limiter, stranger, admin, 30)
	if wait, ok := limiter.Allow(stranger, admin); ok {
		t.Error("the stranger may go on", wait)
	}
	if wait, ok := limiter.Allow(office, admin); !ok {
		t.Errorf("the administrator at the office must wait %s", wait)
	}
}

func TestOneAddressCannotTryManyNames(t *testing.T) {
	t.Parallel()
	clock := newClock()
	limiter := auth.NewLimiter(clock.now)
	for i := range 20 {
		if waited := failTimes(clock, limiter, stranger, fmt.Sprintf("user%d@example.com", i), 1); waited != 0 {
			t.Fatalf("name %d cost %s", i, waited)
		}
	}
	if _, ok := limiter.Allow(stranger, "one-more@example.com"); ok {
		t.Error("the 21st name was free")
	}
}

func TestSuccessForgivesOnesOwnErrorsOnly(t *testing.T) {
	t.Parallel()
	clock := newClock()
	limiter := auth.NewLimiter(clock.now)
	failTimes(clock, limiter, office, admin, 4)
	limiter.Allow(office, admin)
	limiter.Succeeded(office, admin)
	if waited := failTimes(clock, limiter, office, admin, 5); waited != 0 {
		t.Errorf("after a success, typing errors cost %s", waited)
	}

	// Who owns one account must not buy guesses at others with it.
	for i := range 20 {
		failTimes(clock, limiter, stranger, fmt.Sprintf("victim%d@example.com", i), 1)
		if _, ok := limiter.Allow(stranger, "own@example.com"); ok {
			limiter.Succeeded(stranger, "own@example.com")
		}
	}
	if _, ok := limiter.Allow(stranger, admin); ok {
		t.Error("own successes made room for guesses")
	}
}

func TestManyTriesAtOnceGainNothing(t *testing.T) {
	t.Parallel()
	clock := newClock()
	limiter := auth.NewLimiter(clock.now)
	allowed := 0
	for range 100 {
		if _, ok := limiter.Allow(stranger, admin); ok {
			allowed++
		}
	}
	if allowed != 5 {
		t.Errorf("%d tries ran at once", allowed)
	}
	clock.advance(2 * time.Minute) // their outcome was never told
	if wait, ok := limiter.Allow(stranger, admin); !ok {
		t.Errorf("tries without outcome block for good: %s", wait)
	}
}

func TestAddressesCountAsOneCustomer(t *testing.T) {
	t.Parallel()
	for name, addresses := range map[string][2]string{
		"one IPv6 network":    {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		"IPv4 written as v6":  {"192.0.2.7", "::ffff:192.0.2.7"},
		"letters of the mail": {office, office},
	} {
		clock := newClock()
		limiter := auth.NewLimiter(clock.now)
		failTimes(clock, limiter, addresses[0], admin, 5)
		if _, ok := limiter.Allow(addresses[1], " Admin@Example.COM "); ok {
			t.Errorf("%s: %v count apart", name, addresses)
		}
		if _, ok := limiter.Allow("2001:db8:1:3::1", admin); !ok {
			t.Errorf("%s: another network is blocked", name)
		}
	}
}

func TestTheMemoryOfTheThrottleIsBounded(t *testing.T) {
	t.Parallel()
	clock := newClock()
	limiter := auth.NewLimiter(clock.now)
	first := "10.0.0.0"
	failTimes(clock, limiter, first, admin, 5)
	if _, ok := limiter.Allow(first, admin); ok {
		t.Fatal("five failures left no trace")
	}
	for i := 1; i <= 10_000; i++ {
		limiter.Failed(fmt.Sprintf("10.1.%d.%d", i>>8, i&255), admin)
	}
	if _, ok := limiter.Allow(first, admin); !ok {
		t.Error("the entry unused for longest is still kept beside 10,000 others")
	}
}
