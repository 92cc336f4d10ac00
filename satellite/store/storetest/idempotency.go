package storetest

import (
	"fmt"
	"testing"

	"ssm/satellite"
)

func idempotencyClaims(t *testing.T, s satellite.Store) {
	claim := satellite.IdempotencyClaim{Actor: "user:1", Key: "a", Request: "first", Fingerprint: []byte{1, 0}, At: at(1)}
	update(t, s, func(tx satellite.Tx) error { return tx.SaveIdempotencyClaim(claim) })
	view(t, s, func(tx satellite.Tx) error {
		same(t, "claim without an answer", claim)(tx.IdempotencyClaim("user:1", "a"))
		for _, other := range [][2]string{{"user:1", "A"}, {"user:2", "a"}} {
			_, err := tx.IdempotencyClaim(other[0], other[1])
			kind(t, "a key of nobody", err, satellite.KindNotFound)
		}
		return nil
	})
	answered := claim
	answered.Answer = []byte("answer\x00")
	other := satellite.IdempotencyClaim{Actor: "user:2", Key: "a", Request: "second", Fingerprint: []byte{2}, Answer: []byte{}, At: at(2)}
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.SaveIdempotencyClaim(answered); err != nil {
			return err
		}
		return tx.SaveIdempotencyClaim(other)
	})
	view(t, s, func(tx satellite.Tx) error {
		same(t, "claim with an answer", answered)(tx.IdempotencyClaim("user:1", "a"))
		got, err := tx.IdempotencyClaim("user:2", "a")
		if err != nil || got.Answer == nil || got.Request != "second" {
			t.Errorf("an empty answer came back as %+v (%v)", got, err)
		}
		same(t, "keys of one", int64(1))(tx.CountIdempotencyClaims("user:1"))
		same(t, "keys of nobody", int64(0))(tx.CountIdempotencyClaims("user:3"))
		return nil
	})
	replaced := satellite.IdempotencyClaim{Actor: "user:1", Key: "a", Request: "third", Fingerprint: []byte{3}, At: at(3)}
	update(t, s, func(tx satellite.Tx) error { return tx.SaveIdempotencyClaim(replaced) })
	view(t, s, func(tx satellite.Tx) error {
		same(t, "claim that was replaced", replaced)(tx.IdempotencyClaim("user:1", "a"))
		return nil
	})
	forgetClaims(t, s)
}

func forgetClaims(t *testing.T, s satellite.Store) {
	t.Helper()
	update(t, s, func(tx satellite.Tx) error {
		for n := range 25 {
			if err := tx.SaveIdempotencyClaim(satellite.IdempotencyClaim{Actor: "many", Key: fmt.Sprint(n), Request: "r", Fingerprint: []byte{1}, At: at(10 + n)}); err != nil {
				return err
			}
		}
		return nil
	})
	var dropped []int64
	for range 3 {
		update(t, s, func(tx satellite.Tx) error {
			n, err := tx.DeleteIdempotencyClaimsBefore(at(25), 10)
			dropped = append(dropped, n)
			return err
		})
	}
	equal(t, "dropped claims", dropped, []int64{10, 7, 0}) // 15 of many, and the two from before
	view(t, s, func(tx satellite.Tx) error {
		same(t, "keys that are left", int64(10))(tx.CountIdempotencyClaims("many"))
		_, err := tx.IdempotencyClaim("many", "14")
		kind(t, "an old key", err, satellite.KindNotFound)
		_, err = tx.IdempotencyClaim("many", "15")
		return err
	})
}
