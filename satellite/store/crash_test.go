package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/store/storetest"
)

// childVariable names the database of the child that is going to die.
const childVariable = "STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		writeAndDie(path)
	}
	os.Exit(m.Run())
}

const acknowledged = 300

// writeAndDie writes from sixteen callers at once, says aloud what was
// acknowledged, and kills its own process in the middle of the work.
func writeAndDie(path string) {
	ctx := context.Background()
	fail := func(err error) {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	s, err := Open(ctx, Options{Path: path})
	if err != nil {
		fail(err)
	}
	var account satellite.Account
	var pool satellite.Pool
	err = s.Update(ctx, func(tx satellite.Tx) (err error) {
		if account, err = tx.CreateAccount(satellite.Account{Name: "a"}); err != nil {
			return err
		}
		virtual, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account.ID, Name: "Default"})
		if err != nil {
			return err
		}
		license, err := tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: "tag"})
		if err != nil {
			return err
		}
		pool, err = tx.SavePool(satellite.Pool{AccountID: account.ID, VirtualAccountID: virtual.ID, LicenseID: license.ID})
		return err
	})
	if err != nil {
		fail(err)
	}
	var next, done atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for {
				n := next.Add(1)
				err := s.Update(ctx, func(tx satellite.Tx) error { return draw(tx, pool, n) })
				if err != nil && n%11 != 0 {
					fail(err)
				}
				if err == nil {
					// One write call, so that no line is torn.
					_, _ = os.Stdout.WriteString(strconv.FormatInt(n, 10) + "\n")
				}
				if done.Add(1) == acknowledged {
					_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				}
			}
		})
	}
	callers.Wait()
}

// draw makes device n with one license; every eleventh fails at the end.
func draw(tx satellite.Tx, pool satellite.Pool, n int64) error {
	instance, err := tx.CreateInstance(satellite.Instance{
		PIID: fmt.Sprint("device ", n), AccountID: pool.AccountID, VirtualAccountID: pool.VirtualAccountID, Identity: satellite.Identity{UDISerialNumber: fmt.Sprint(n)},
	})
	if err != nil {
		return err
	}
	p, err := tx.Pool(pool.VirtualAccountID, pool.LicenseID)
	if err != nil {
		return err
	}
	p.InUse++
	if _, err := tx.SavePool(p); err != nil {
		return err
	}
	if err := tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, VirtualAccountID: p.VirtualAccountID, LicenseID: p.LicenseID, Count: 1}); err != nil {
		return err
	}
	if err := tx.Record(satellite.Event{Type: "drawn", PIID: instance.PIID}); err != nil {
		return err
	}
	if n%11 == 0 {
		return errors.New("refused")
	}
	return nil
}

func TestWhatWasAcknowledgedIsThereAfterTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "satellite.db")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+path)
	output, err := child.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v and said %.300s", err, output)
	}
	s := open(t, path)
	seen := 0
	err = s.View(context.Background(), func(tx satellite.Tx) error {
		for lines := bufio.NewScanner(strings.NewReader(string(output))); lines.Scan(); seen++ {
			if _, err := tx.Instance("device " + lines.Text()); err != nil {
				t.Errorf("an acknowledged device is gone: %v", err)
			}
		}
		mismatches, err := tx.RecountPools(time.Unix(0, 0))
		if len(mismatches) > 0 {
			t.Error(mismatches)
		}
		devices, countErr := tx.CountInstances(satellite.InstanceFilter{})
		if events := storetest.VerifyChain(t, s); events != devices {
			t.Errorf("there are %d events of %d devices", events, devices)
		}
		return errors.Join(err, countErr)
	})
	if err != nil {
		t.Error(err)
	}
	if seen < acknowledged/2 {
		t.Errorf("only %d were acknowledged", seen)
	}
}
