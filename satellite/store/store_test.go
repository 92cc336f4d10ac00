package store

import (
	"context"
	"path/filepath"
	"testing"

	"ssm/satellite"
	"ssm/satellite/store/storetest"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) satellite.Store { return open(t, filepath.Join(t.TempDir(), "satellite.db")) })
}
