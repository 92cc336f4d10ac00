package storetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"reflect"
	"testing"
	"time"

	"ssm/satellite/wire"
)

// filled is a value with every field set, and each to something else: a field
// that somebody adds to a noun is part of the round trip at once.
func filled[T any](seed int) (value T) {
	f := &filler{next: seed * 1000}
	f.fill(reflect.ValueOf(&value).Elem(), "")
	return value
}

type filler struct{ next int }

func (f *filler) fill(v reflect.Value, name string) {
	f.next++
	if _, ok := v.Interface().(time.Time); ok {
		v.Set(reflect.ValueOf(base.Add(time.Duration(f.next) * time.Hour).Add(time.Duration(f.next) * time.Microsecond)))
		return
	}
	if _, ok := v.Interface().(time.Duration); ok { // whole microseconds, as both databases keep them
		v.Set(reflect.ValueOf(time.Duration(f.next) * time.Microsecond))
		return
	}
	// What follows from other rows is not stored.
	if name == "Lent" || name == "Borrowed" {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("%s 'ü日本\x1f' %d", name, f.next))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.next) + 1<<40)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range v.Len() {
				f.fill(v.Index(i), name)
			}
			return
		}
		v.SetBytes([]byte{0, 0xff, byte(f.next), byte(f.next >> 8)})
	case reflect.Array: // a hash
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(byte(f.next + i*7 + 1)))
		}
	case reflect.Map: // the digests of a sync state
		digests := map[wire.RecordKind]wire.Digest{}
		for i, kind := range wire.StateKinds {
			digests[kind] = wire.Digest{byte(i + 1), byte(f.next)}
		}
		v.Set(reflect.ValueOf(digests))
	default:
		panic("storetest cannot fill " + name)
	}
}

// certificate is a DER certificate of nobody.
func certificate(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: base, NotAfter: base.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
