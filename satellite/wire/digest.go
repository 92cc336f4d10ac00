package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
)

// Digest is the digest of a set of records: the sum modulo 2^256 of the SHA-256
// of each one's bytes. It does not depend on their order, and a change of one
// record costs one subtraction and one addition. The zero value is the digest
// of the empty set.
type Digest [sha256.Size]byte // big-endian

// Hash is the summand of a record.
func (r Record) Hash() (Digest, error) {
	text, err := r.Bytes()
	return sha256.Sum256(text), err
}

// Add is the digest with one more record.
func (d Digest) Add(record Digest) Digest {
	var carry uint64
	var sum Digest
	for i := 24; i >= 0; i -= 8 {
		var word uint64
		word, carry = bits.Add64(word64(d, i), word64(record, i), carry)
		putWord64(&sum, i, word)
	}
	return sum
}

// Subtract is the digest without a record that is in it.
func (d Digest) Subtract(record Digest) Digest {
	var borrow uint64
	var difference Digest
	for i := 24; i >= 0; i -= 8 {
		var word uint64
		word, borrow = bits.Sub64(word64(d, i), word64(record, i), borrow)
		putWord64(&difference, i, word)
	}
	return difference
}

func word64(d Digest, at int) (word uint64) {
	for _, b := range d[at : at+8] {
		word = word<<8 | uint64(b)
	}
	return word
}

func putWord64(d *Digest, at int, word uint64) {
	for i := at + 7; i >= at; i-- {
		d[i] = byte(word)
		word >>= 8
	}
}

// String is the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalJSON writes hexadecimal.
func (d Digest) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Digest) UnmarshalJSON(text []byte) error {
	var digits string
	if err := json.Unmarshal(text, &digits); err != nil {
		return err
	}
	value, err := hex.DecodeString(digits)
	if err != nil || len(value) != len(d) {
		return fmt.Errorf("%w: a digest has 64 hexadecimal digits", ErrMalformed)
	}
	copy(d[:], value)
	return nil
}
