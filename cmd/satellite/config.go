package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"ssm/satellite"
)

// config is everything that can be configured, loaded once. Each key stands in
// satellite.example.yaml with its unit, its default and a line of why.
type config struct {
	Data    string `mapstructure:"data"`
	KeyFile string `mapstructure:"key_file"`
	Name    string `mapstructure:"name"`

	Listen struct {
		Address     string `mapstructure:"address"`
		Device      string `mapstructure:"device"`
		Console     string `mapstructure:"console"`
		PlainDevice string `mapstructure:"plain_device"`
	} `mapstructure:"listen"`

	TLS struct {
		Certificate string   `mapstructure:"certificate"`
		Key         string   `mapstructure:"key"`
		Names       []string `mapstructure:"names"`
	} `mapstructure:"tls"`

	Log struct {
		Level  string `mapstructure:"level"`
		Format string `mapstructure:"format"`
	} `mapstructure:"log"`

	Session struct {
		Idle     time.Duration `mapstructure:"idle"`
		Absolute time.Duration `mapstructure:"absolute"`
	} `mapstructure:"session"`

	Token struct {
		Days int `mapstructure:"days"`
	} `mapstructure:"token"`

	Events struct {
		RetentionDays int `mapstructure:"retention_days"`
	} `mapstructure:"events"`

	Device struct {
		CertificateDays          int           `mapstructure:"certificate_days"`
		AuthorizationRenewalDays int           `mapstructure:"authorization_renewal_days"`
		AuthorizationDays        int           `mapstructure:"authorization_days"`
		ClockSkew                time.Duration `mapstructure:"clock_skew"`
	} `mapstructure:"device"`
}

// defaults are the values of every key: one without a default would be ignored
// by the loader, and a test compares them with satellite.example.yaml.
var defaults = map[string]any{
	"data":                              "./satellite-data",
	"key_file":                          "",
	"name":                              "",
	"listen.address":                    ":8443",
	"listen.device":                     "",
	"listen.console":                    "",
	"listen.plain_device":               "",
	"tls.certificate":                   "",
	"tls.key":                           "",
	"tls.names":                         []string{},
	"log.level":                         "info",
	"log.format":                        "text",
	"session.idle":                      "30m",
	"session.absolute":                  "12h",
	"token.days":                        365,
	"events.retention_days":             3650,
	"device.certificate_days":           365,
	"device.authorization_renewal_days": 30,
	"device.authorization_days":         90,
	"device.clock_skew":                 "1h",
}

// loadConfig reads the file ("" for none) and the environment: SATELLITE_ and
// the key in upper case with _ for the dot. Unknown keys are an error that names them.
func loadConfig(file string) (config, error) {
	v := viper.New()
	for key, value := range defaults {
		v.SetDefault(key, value)
	}
	v.SetEnvPrefix("satellite")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	if file != "" {
		v.SetConfigFile(file)
		v.SetConfigType("yaml")
		if err := v.ReadInConfig(); err != nil {
			return config{}, fmt.Errorf("read the configuration: %w", err)
		}
	}
	var c config
	if err := v.UnmarshalExact(&c, viper.DecodeHook(mapstructure.StringToTimeDurationHookFunc())); err != nil {
		return config{}, fmt.Errorf("the configuration %s is not accepted, compare it with satellite.example.yaml: %w", file, err)
	}
	if err := c.check(); err != nil {
		return config{}, fmt.Errorf("the configuration is not accepted: %w", err)
	}
	return c, nil
}

// check refuses values that cannot work, by name and with the range.
func (c config) check() error {
	var problems []error
	for _, n := range []struct {
		key       string
		value     int
		low, high int
	}{
		{"token.days", c.Token.Days, 1, 365},
		{"events.retention_days", c.Events.RetentionDays, 0, 36500},
		{"device.certificate_days", c.Device.CertificateDays, 1, 3650},
		{"device.authorization_renewal_days", c.Device.AuthorizationRenewalDays, 1, 365},
		{"device.authorization_days", c.Device.AuthorizationDays, c.Device.AuthorizationRenewalDays, 3650},
	} {
		if n.value < n.low || n.value > n.high {
			problems = append(problems, fmt.Errorf("%s is %d, it must be %d to %d", n.key, n.value, n.low, n.high))
		}
	}
	if c.Session.Idle < time.Minute || c.Session.Absolute < c.Session.Idle {
		problems = append(problems, errors.New("session.idle must be at least 1m, and session.absolute at least session.idle"))
	}
	if c.Device.ClockSkew < 0 {
		problems = append(problems, errors.New("device.clock_skew must not be negative; 0 switches the check off"))
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		problems = append(problems, errors.New("tls.certificate and tls.key go together"))
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		problems = append(problems, fmt.Errorf("log.format is %q, it must be text or json", c.Log.Format))
	}
	if _, err := logLevel(c.Log.Level); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// keyFile is where the key file is: in the data folder unless said otherwise.
func (c config) keyFile() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.Data, "key")
}

const day = 24 * time.Hour

// options are the numbers of the domain.
func (c config) options() satellite.Options {
	skew := c.Device.ClockSkew
	if skew == 0 {
		skew = -1 // the domain's way to say: not checked
	}
	return satellite.Options{
		TokenLife: time.Duration(c.Token.Days) * day, CertificateLife: time.Duration(c.Device.CertificateDays) * day,
		AuthorizationRenewal: time.Duration(c.Device.AuthorizationRenewalDays) * day,
		AuthorizationLife:    time.Duration(c.Device.AuthorizationDays) * day,
		EventRetention:       time.Duration(c.Events.RetentionDays) * day,
		DeviceClockSkew:      skew, TemporaryFolder: filepath.Join(c.Data, "tmp"),
	}
}
