package auth_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ssm/satellite"
	"ssm/satellite/auth"
)

func TestAPasswordMatchesItsHashAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords(2)
	const password = "four words 正しい make one"
	hash, err := passwords.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("the hash is %s", hash)
	}
	again, err := passwords.Hash(password)
	if err != nil || again == hash {
		t.Errorf("a second hash has no salt of its own: %v", err)
	}
	for candidate, want := range map[string]bool{password: true, password + " ": false, "": false, "Four words 正しい make one": false} {
		if matches, err := passwords.Matches(candidate, hash); err != nil || matches != want {
			t.Errorf("%q: %v, %v", candidate, matches, err)
		}
	}
}

func TestADamagedHashIsAnErrorAndNothingWorse(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords(1)
	const tail = "$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b+dWRWJTmaaJObG"
	for _, hash := range []string{
		"", "garbage", "$argon2i$v=19$m=65536,t=3,p=4" + tail, "$argon2id$v=19$m=65536,t=3,p=0" + tail,
		"$argon2id$v=19$m=65536,t=0,p=4" + tail, "$argon2id$v=19$m=4294967295,t=3,p=4" + tail,
		"$argon2id$v=19$m=65536,t=4000000000,p=4" + tail, "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$", strings.Repeat("$", 2000),
	} {
		if matches, err := passwords.Matches("anything at all", hash); err == nil || matches {
			t.Errorf("%.60s: %v, %v", hash, matches, err)
		}
	}
}

func TestMoreSignInsThanCanWaitAreSentAway(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords(1)
	var wait sync.WaitGroup
	var served, refused atomic.Int64
	for range 40 {
		wait.Go(func() {
			_, err := passwords.Hash("one of many at once")
			switch {
			case err == nil:
				served.Add(1)
			case satellite.KindOf(err) == satellite.KindUnavailable:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if served.Load() < 17 || refused.Load() == 0 || served.Load()+refused.Load() != 40 {
		t.Errorf("%d served, %d sent away", served.Load(), refused.Load())
	}
}
