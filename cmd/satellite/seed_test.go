package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// answer runs a command with --json and reads what it prints.
func answer(t *testing.T, into any, args ...string) {
	t.Helper()
	status, stdout, stderr := execute(t, append(args, "--json")...)
	if status != 0 {
		t.Fatalf("%s: status %d\n%s", strings.Join(args, " "), status, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, stdout)
	}
}

func TestASeededFolderIsThatOfALivingSatellite(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	var made seeded
	answer(t, &made, "seed", "--data", data, "--devices", "600", "--accounts", "2")
	if len(made.Accounts) != 2 || made.Devices != 600 || made.VirtualAccounts != 12 || made.Licenses != 14 || made.Tokens != 12 || made.Data != data {
		t.Errorf("it made %+v", made)
	}
	var audit struct {
		OK      bool   `json:"ok"`
		Problem string `json:"problem"`
	}
	answer(t, &audit, "audit", "verify", "--data", data)
	if !audit.OK || audit.Problem != "" {
		t.Errorf("the audit says %+v", audit)
	}
	status, stdout, stderr := execute(t, "seed", "--data", data)
	if status != 1 || stdout != "" || stderr != "there is a satellite in "+data+" already; nothing was changed. Name a fresh folder with --data\n" {
		t.Errorf("a second seed: status %d, %s%s", status, stdout, stderr)
	}

	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	server, err := launch(bin, data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.end(syscall.SIGTERM); err != nil {
			t.Errorf("the satellite did not end well: %v\n%s", err, server.log)
		}
	}()
	served(t, data, made)
}

// served holds that a satellite on the seeded folder shows what was made.
func served(t *testing.T, data string, made seeded) {
	t.Helper()
	total := 0
	for _, account := range made.Accounts {
		var devices []struct {
			PIID string `json:"piid"`
		}
		answer(t, &devices, "device", "list", "--account", account, "--data", data)
		total += len(devices)
		var pools []struct {
			VirtualAccount string `json:"virtual_account"`
			Tag            string `json:"tag"`
			Balance        int64  `json:"balance"`
			Status         string `json:"status"`
		}
		answer(t, &pools, "license", "list", "--account", account, "--data", data)
		if len(pools) != 42 {
			t.Errorf("%s has %d pools", account, len(pools))
		}
		for _, p := range pools {
			short := p.Tag == seedShortTag && p.VirtualAccount == "Sapporo"
			if short != (p.Status == "insufficient") || short != (p.Balance < 0) && p.Tag != "TELEMETRY" {
				t.Errorf("%s: %+v", account, p)
			}
		}
	}
	if total != made.Devices {
		t.Errorf("there are %d devices", total)
	}
	var alerts []struct {
		Type string `json:"type"`
	}
	answer(t, &alerts, "alert", "list", "--data", data)
	count := map[string]int{}
	for _, a := range alerts {
		count[a.Type]++
	}
	if count["insufficient-licenses"] != 2 || count["licenses-expiring"] < 6 || count["product-instance-failed-to-connect"] == 0 || len(count) != 3 || len(alerts) != made.Alerts {
		t.Errorf("of the %d alerts that were made, there are %v", made.Alerts, count)
	}
}

func TestASeedOutOfBoundsIsWrongUsage(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--devices", "0"}, "--devices is 0, it must be 1 to 1000000"},
		{[]string{"--devices", "1000001"}, "--devices is 1000001"},
		{[]string{"--accounts", "0"}, "--accounts is 0"},
		{[]string{"--accounts", "101"}, "--accounts is 101"},
		{[]string{"--devices", "3", "--accounts", "4"}, "at most one for each device"},
		{[]string{"more"}, "more"},
	} {
		status, stdout, stderr := execute(t, append([]string{"seed", "--data", data}, c.args...)...)
		if status != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %s%s", c.args, status, stdout, stderr)
		}
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wrong usage made the folder (%v)", err)
	}
}
