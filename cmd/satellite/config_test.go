package main

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestTheExampleSaysEveryKeyWithItsDefault loads satellite.example.yaml strictly
// and compares it with the defaults: key for key, value for value.
func TestTheExampleSaysEveryKeyWithItsDefault(t *testing.T) {
	const example = "../../satellite.example.yaml"
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	said := map[string]any{}
	flatten(said, "", document)
	if got, want := slices.Sorted(maps.Keys(said)), slices.Sorted(maps.Keys(defaults)); !slices.Equal(got, want) {
		t.Errorf("the example has the keys\n%v\nthe defaults\n%v", got, want)
	}
	fromExample, err := loadConfig(example)
	if err != nil {
		t.Fatal(err)
	}
	fromNothing, err := loadConfig("")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromExample, fromNothing) {
		t.Errorf("the example means\n%+v\nthe defaults are\n%+v", fromExample, fromNothing)
	}
	// Every key has a line of why above it.
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		section := strings.HasSuffix(trimmed, ":")
		if trimmed == "" || section || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if i == 0 || !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "#") {
			t.Errorf("line %d says no why: %s", i+1, line)
		}
	}
}

func flatten(into map[string]any, prefix string, value map[string]any) {
	for key, inner := range value {
		if section, ok := inner.(map[string]any); ok {
			flatten(into, prefix+key+".", section)
			continue
		}
		into[prefix+key] = inner
	}
}

// TestAConfigurationThatCannotWorkIsRefusedByName sees that each bad value is
// named, with what it may be.
func TestAConfigurationThatCannotWorkIsRefusedByName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"lisen: {address: x}":                     "lisen",
		"listen: {addresses: ':1'}":               "addresses",
		"token: {days: 366}":                      "token.days is 366, it must be 1 to 365",
		"token: {days: many}":                     "days",
		"device: {authorization_days: 10}":        "device.authorization_days is 10, it must be 30 to 3650",
		"device: {clock_skew: -1h}":               "device.clock_skew",
		"device: {clock_skew: 1 parsec}":          "clock_skew",
		"session: {idle: 1s}":                     "session.idle",
		"tls: {certificate: server.pem}":          "tls.certificate and tls.key go together",
		"log: {format: xml}":                      "text or json",
		"log: {level: loud}":                      "debug, info, warn or error",
		"listen: [":                               "read the configuration",
		"token: {days: 0}\nlog: {format: nicely}": "text or json",
	} {
		file := t.TempDir() + "/satellite.yaml"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadConfig(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; it must say %q", text, err, want)
		}
	}
	if _, err := loadConfig(t.TempDir() + "/missing.yaml"); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

// TestTheEnvironmentOverridesTheFile as the example's first lines say.
func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	t.Setenv("SATELLITE_LISTEN_ADDRESS", "127.0.0.1:7000")
	t.Setenv("SATELLITE_TOKEN_DAYS", "30")
	c, err := loadConfig("../../satellite.example.yaml")
	if err != nil || c.Listen.Address != "127.0.0.1:7000" || c.Token.Days != 30 {
		t.Errorf("%v %+v", err, c)
	}
}
