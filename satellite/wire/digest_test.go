package wire

import (
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var modulus = new(big.Int).Lsh(big.NewInt(1), 256)

func number(d Digest) *big.Int { return new(big.Int).SetBytes(d[:]) }

func drawDigest(r *rapid.T, label string) (d Digest) {
	// The edges of the words, where a carry could get lost, beside anything.
	pattern := rapid.SampledFrom([]byte{0, 0xff, 0x80, 1}).Draw(r, label+" pattern")
	random := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, label)
	for i := range d {
		d[i] = pattern
		if rapid.Bool().Draw(r, "random") {
			d[i] = random[i]
		}
	}
	return d
}

func TestADigestIsASumModulo256Bits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		a, b, c := drawDigest(r, "a"), drawDigest(r, "b"), drawDigest(r, "c")
		sum := new(big.Int).Add(number(a), number(b))
		if number(a.Add(b)).Cmp(sum.Mod(sum, modulus)) != 0 {
			r.Fatalf("%s + %s = %s", a, b, a.Add(b))
		}
		difference := new(big.Int).Sub(number(a), number(b))
		if number(a.Subtract(b)).Cmp(difference.Mod(difference, modulus)) != 0 {
			r.Fatalf("%s - %s = %s", a, b, a.Subtract(b))
		}
		if a.Add(b).Add(c) != c.Add(a).Add(b) || a.Add(b).Subtract(b) != a || a.Add(Digest{}) != a {
			r.Fatal("the order matters, or to take back what was added does not")
		}
		text, err := json.Marshal(a)
		if err != nil {
			r.Fatal(err)
		}
		var again Digest
		if err := json.Unmarshal(text, &again); err != nil || again != a {
			r.Fatalf("%s reads as %s (%v)", a, again, err)
		}
	})
}

func TestADigestOfTheWrongFormIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`""`, `"00"`, `7`, `"` + Digest{}.String() + `00"`, `"x` + Digest{}.String()[1:] + `"`} {
		if err := new(Digest).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

// The hash of a record covers the bytes that are sent.
func TestTheHashOfARecordIsThatOfItsLine(t *testing.T) {
	t.Parallel()
	record, err := NewRecord(RecordUsage, "Default\tbase", UsageRecord{VirtualAccount: "Default", Tag: "base <&>", InUse: 3})
	if err != nil {
		t.Fatal(err)
	}
	line, err := record.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "usage.record.json", line)
	hash, err := record.Hash()
	if err != nil || hash != sha256.Sum256(line) {
		t.Errorf("the hash is %s (%v)", hash, err)
	}
	var again UsageRecord
	if err := record.Decode(&again); err != nil || again.InUse != 3 || again.Tag != "base <&>" {
		t.Errorf("it reads as %+v (%v)", again, err)
	}
}
