package storetest

import (
	"testing"
	"time"

	"ssm/satellite"
)

// workingTokens are those that nothing has ended, those that live longest first.
func workingTokens(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	lives := func(hours int) time.Time { return base.Add(time.Duration(hours) * time.Hour) }
	update(t, s, func(tx satellite.Tx) error {
		for i, token := range []satellite.Token{
			{Description: "second", ExpiresAt: lives(2)},
			{Description: "third", ExpiresAt: lives(1), MaxUses: 2, Uses: 1},
			{Description: "used up", ExpiresAt: lives(9), MaxUses: 2, Uses: 2},
			{Description: "revoked", ExpiresAt: lives(9), RevokedAt: base},
			{Description: "expired", ExpiresAt: base},
			{Description: "of another", ExpiresAt: lives(9), VirtualAccountID: other.virtual.ID, AccountID: other.account.ID},
			{Description: "first", ExpiresAt: lives(2), Uses: 7},
		} {
			token.Text, token.Hash[0], token.CreatedAt = []byte("sealed"), byte(i), base
			if token.AccountID == 0 {
				token.AccountID, token.VirtualAccountID = w.account.ID, w.virtual.ID
			}
			if _, err := tx.CreateToken(token); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		now   time.Time
		limit int
		want  []string
	}{
		{base, 10, []string{"first", "second", "third"}},
		{base, 2, []string{"first", "second"}},
		{lives(1), 10, []string{"first", "second"}},
		{lives(2), 10, nil},
	} {
		view(t, s, func(tx satellite.Tx) error {
			list, err := tx.WorkingTokens(w.virtual.ID, c.now, c.limit)
			var names []string
			for _, token := range list {
				names = append(names, token.Description)
			}
			equal(t, "working tokens", names, c.want)
			return err
		})
	}
}
