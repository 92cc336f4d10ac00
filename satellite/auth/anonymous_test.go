package auth

import (
	"fmt"
	"testing"

	"ssm/satellite"
)

func TestTheOldestAnonymousSessionMakesRoom(t *testing.T) {
	t.Parallel()
	a := newAnonymousSessions()
	for n := range maxAnonymous + 10 {
		a.keep(satellite.Session{Key: fmt.Sprint(n)})
	}
	if len(a.byKey) != maxAnonymous || len(a.order) != maxAnonymous {
		t.Errorf("%d sessions in %d places", len(a.byKey), len(a.order))
	}
	for n, want := range map[int]bool{0: false, 9: false, 10: true, maxAnonymous + 9: true} {
		if _, found := a.find(fmt.Sprint(n)); found != want {
			t.Errorf("session %d: %v", n, found)
		}
	}
}
