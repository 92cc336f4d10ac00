package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const redacted = "***"

// NewLogger writes structured logs, as JSON or as text, with times in UTC. The
// values of attributes whose names promise a secret are written as ***.
func NewLogger(w io.Writer, level slog.Level, asJSON bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: clean}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// secretKeys are the names of what no log may hold, also at the end of a longer
// name ("access_token", "Set-Cookie"). "code" is one by itself only: it is the
// secret of a set-up link or of a sign-in at a third party.
var secretKeys = []string{"token", "password", "secret", "authorization", "cookie", "client_secret", "setup_code"}

func clean(groups []string, attr slog.Attr) slog.Attr {
	if attr.Key == slog.TimeKey && len(groups) == 0 && attr.Value.Kind() == slog.KindTime {
		return slog.Time(attr.Key, attr.Value.Time().UTC())
	}
	key := strings.ReplaceAll(strings.ToLower(attr.Key), "-", "_")
	if key == "code" {
		return slog.String(attr.Key, redacted)
	}
	for _, secret := range secretKeys {
		if strings.HasSuffix(key, secret) {
			return slog.String(attr.Key, redacted)
		}
	}
	return attr
}

// Secret is text that shows as *** wherever it is printed, logged or encoded.
// Only Reveal returns it. It is no key for a map: encoders take those as they are.
type Secret string

// Reveal returns the text, for the place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Format prints *** under every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns ***.
func (s Secret) String() string { return redacted }

// LogValue logs ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText encodes ***, for every encoder that asks for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON encodes "***".
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
