package wire

import (
	"archive/tar"
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func anyone(Manifest, [][]byte) error { return nil }

func responseManifest() Manifest {
	return Manifest{
		Kind: SyncResponse, CreatedAt: noon, SatelliteID: "k3v9q2wd", Sequence: 7, Account: SyncAccount{ID: "k3v9q2wd-1", Name: "Plant", SmartAccount: "Plant", VirtualAccount: "Satellite"},
		Response: &ResponsePart{RequestDigest: "00", NextSequence: 8, Deadline: noon, AccountType: "standard", Certificates: [][]byte{{1}}}, StateDigest: map[RecordKind]Digest{RecordToken: {}},
	}
}

func registrationManifest(t testing.TB, key crypto.Signer) Manifest {
	t.Helper()
	return Manifest{
		Kind: SyncRequest, CreatedAt: noon, SatelliteID: "k3v9q2wd", Sequence: 1, Account: SyncAccount{ID: "k3v9q2wd-1", Name: "Plant"},
		Request: &RequestPart{Scope: ScopeRegistration, CertificateRequest: csr(t, key), RequestedBy: "a@b.example", EventHeads: map[string]EventHead{"1": {Number: 4, Hash: "00"}}, PrivacyOmits: []string{}},
	}
}

func records(n int) (list []Record) {
	for i := range n {
		list = append(list, Record{Kind: RecordDevice, Key: fmt.Sprint(i), Value: json.RawMessage(`{"piid":"x"}`)})
	}
	return append(list, Record{Kind: RecordToken, Key: "gone", Removed: true})
}

func write(t testing.TB, m Manifest, signer Signer, list []Record) []byte {
	t.Helper()
	w, err := NewRecordWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	for _, r := range list {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	digest, err := w.WriteTo(&file, m, signer)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := OpenContainer(bytes.NewReader(file.Bytes()), int64(file.Len()), anyone); err != nil || c.Digest != digest {
		t.Fatalf("what was written does not open: %v", err)
	}
	return file.Bytes()
}

// read opens a container and reads all of its records.
func read(file []byte) (c *Container, list []Record, err error) {
	if c, err = OpenContainer(bytes.NewReader(file), int64(len(file)), anyone); err != nil {
		return nil, nil, err
	}
	err = c.Records(func(r Record) error { list = append(list, r); return nil })
	return c, list, err
}

func TestContainersRoundTrip(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "upstream")
	own := certificate(t, key)
	rsa := rsaKey(t)
	for name, c := range map[string]struct {
		manifest Manifest
		signer   Signer
		records  []Record
	}{
		"response":         {responseManifest(), Signer{Key: key, Chain: [][]byte{own, own}}, records(3)},
		"empty response":   {responseManifest(), Signer{Key: key, Chain: [][]byte{own}}, nil},
		"under an RSA key": {responseManifest(), Signer{Key: rsa, Chain: [][]byte{certificate(t, rsa)}}, records(1)},
		"registration":     {registrationManifest(t, key), Signer{Key: key}, records(2000)},
	} {
		got, list, err := read(write(t, c.manifest, c.signer, c.records))
		if err != nil || !reflect.DeepEqual(list, c.records) || !reflect.DeepEqual(got.Signer, c.signer.Chain) {
			t.Errorf("%s: %d records, %d certificates, %v", name, len(list), len(got.Signer), err)
			continue
		}
		want := c.manifest
		want.Format, want.Version, want.Records = SyncFormat, SyncVersion, got.Manifest.Records
		if !reflect.DeepEqual(got.Manifest, want) || got.Manifest.Records.Count != int64(len(c.records)) {
			t.Errorf("%s reads as %+v, written was %+v", name, got.Manifest, want)
		}
	}
}

func TestAStoredContainerStaysReadable(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "account")
	file := stored(t, "registration"+RequestExtension, func() []byte { return write(t, registrationManifest(t, key), Signer{Key: key}, records(3)) })
	c, list, err := read(file)
	if err != nil || !reflect.DeepEqual(list, records(3)) || c.Manifest.Request.RequestedBy != "a@b.example" || !c.Manifest.CreatedAt.Equal(noon) {
		t.Errorf("%+v, %d records, %v", c, len(list), err)
	}
}

func TestEveryAlteredByteOfAContainerIsRefused(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "upstream")
	for name, file := range map[string][]byte{
		"response":     write(t, responseManifest(), Signer{Key: key, Chain: [][]byte{certificate(t, key)}}, records(3)),
		"registration": write(t, registrationManifest(t, key), Signer{Key: key}, records(3)),
	} {
		for i := range file {
			altered := bytes.Clone(file)
			altered[i] ^= 1 << (i % 8)
			if _, err := OpenContainer(bytes.NewReader(altered), int64(len(altered)), anyone); err == nil {
				t.Fatalf("%s: byte %d altered is accepted", name, i)
			}
		}
		for n := range file {
			if _, err := OpenContainer(bytes.NewReader(file[:n]), int64(n), anyone); err == nil {
				t.Fatalf("%s: the first %d bytes are accepted", name, n)
			}
		}
		for _, more := range [][]byte{{0}, make([]byte, 512), make([]byte, 10240), []byte("more")} {
			longer := append(bytes.Clone(file), more...)
			if _, err := OpenContainer(bytes.NewReader(longer), int64(len(longer)), anyone); !errors.Is(err, ErrAltered) {
				t.Errorf("%s with %d bytes behind its end: %v", name, len(more), err)
			}
		}
	}
}

// entries takes a container apart.
func entries(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(file)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

type entry struct {
	header *tar.Header
	body   []byte
}

func pack(t *testing.T, list ...entry) []byte {
	t.Helper()
	var file bytes.Buffer
	archive := tar.NewWriter(&file)
	for _, e := range list {
		e.header.Size = int64(len(e.body))
		if err := archive.WriteHeader(e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestOnlyTheCanonicalArchiveIsRead(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "upstream")
	parts := entries(t, write(t, responseManifest(), Signer{Key: key, Chain: [][]byte{certificate(t, key)}}, records(3)))
	plain := func(name string) entry { return entry{tarHeader(name, 0), parts[name]} }
	manifest, jws, stream := plain(manifestEntry), plain(signatureEntry), plain(recordsEntry)
	with := func(e entry, change func(*tar.Header)) entry {
		h := *e.header
		change(&h)
		return entry{&h, e.body}
	}
	if _, _, err := read(pack(t, manifest, jws, stream)); err != nil {
		t.Fatalf("packed again: %v", err)
	}
	for name, file := range map[string][]byte{
		"reordered":                 pack(t, jws, manifest, stream),
		"records first":             pack(t, stream, manifest, jws),
		"an entry twice":            pack(t, manifest, manifest, jws, stream),
		"the records twice":         pack(t, manifest, jws, stream, stream),
		"an entry more":             pack(t, manifest, jws, stream, entry{tarHeader("more", 0), nil}),
		"an entry less":             pack(t, manifest, jws),
		"a path":                    pack(t, with(manifest, func(h *tar.Header) { h.Name = "./" + manifestEntry }), jws, stream),
		"a way out":                 pack(t, with(manifest, func(h *tar.Header) { h.Name = "../" + manifestEntry }), jws, stream),
		"a mode":                    pack(t, with(manifest, func(h *tar.Header) { h.Mode = 0o600 }), jws, stream),
		"a time":                    pack(t, with(manifest, func(h *tar.Header) { h.ModTime = noon }), jws, stream),
		"an owner":                  pack(t, with(jws, func(h *tar.Header) { h.Uname = "root" }), stream),
		"another format":            pack(t, with(manifest, func(h *tar.Header) { h.Format = tar.FormatPAX; h.PAXRecords = map[string]string{"a.b": "c"} }), jws, stream),
		"empty":                     pack(t),
		"a huge manifest":           pack(t, entry{tarHeader(manifestEntry, 0), make([]byte, maxManifest+1)}, jws, stream),
		"a huge signature":          pack(t, manifest, entry{tarHeader(signatureEntry, 0), make([]byte, maxJWS+1)}, stream),
		"a signature on two lines":  pack(t, manifest, entry{tarHeader(signatureEntry, 0), append(bytes.Clone(parts[signatureEntry]), '\n')}, stream),
		"a signature with a blank":  pack(t, manifest, entry{tarHeader(signatureEntry, 0), append([]byte(" "), parts[signatureEntry]...)}, stream),
		"a manifest with a blank":   pack(t, entry{tarHeader(manifestEntry, 0), append([]byte(" "), parts[manifestEntry]...)}, jws, stream),
		"a signature with payload":  pack(t, manifest, entry{tarHeader(signatureEntry, 0), bytes.Replace(parts[signatureEntry], []byte(".."), []byte(".AA."), 1)}, stream),
		"records of something else": pack(t, manifest, jws, entry{tarHeader(recordsEntry, 0), bytes.Repeat([]byte{7}, len(parts[recordsEntry]))}),
	} {
		if _, err := OpenContainer(bytes.NewReader(file), int64(len(file)), anyone); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// seal makes a container with any signature over its manifest.
func seal(t *testing.T, change func(*Manifest), stream []byte, sign func(manifest []byte) string) []byte {
	t.Helper()
	m := responseManifest()
	m.Format, m.Version = SyncFormat, SyncVersion
	sum := sha256.Sum256(stream)
	m.Records = RecordsPart{Counts: map[RecordKind]int64{}, Packed: int64(len(stream)), SHA256: hex.EncodeToString(sum[:]), MediaType: RecordsMediaType}
	change(&m)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return pack(t, entry{tarHeader(manifestEntry, 0), text}, entry{tarHeader(signatureEntry, 0), []byte(sign(text))}, entry{tarHeader(recordsEntry, 0), stream})
}

func genuine(t *testing.T) func([]byte) string {
	t.Helper()
	key := fixedKey(t, "upstream")
	own := certificate(t, key)
	return func(text []byte) string {
		jws, err := signDetached(Signer{Key: key, Chain: [][]byte{own}}, text)
		if err != nil {
			t.Error(err)
		}
		return string(jws)
	}
}

func TestWeakSignaturesAreRefused(t *testing.T) {
	t.Parallel()
	key := fixedKey(t, "upstream")
	own := certificate(t, key)
	encode := base64.RawURLEncoding.EncodeToString
	headerOf := func(algorithm, kind string) string {
		text, _ := json.Marshal(map[string]any{"alg": algorithm, "typ": kind, "x5c": [][]byte{own}})
		return encode(text)
	}
	nothing := func(*Manifest) {}
	stream := zstdOf(t, nil)
	if _, _, err := read(seal(t, nothing, stream, genuine(t))); err != nil {
		t.Fatalf("the genuine one: %v", err)
	}
	for name, sign := range map[string]func([]byte) string{
		"none":          func([]byte) string { return headerOf("none", jwsType) + ".." },
		"none, in caps": func([]byte) string { return headerOf("NONE", jwsType) + ".." },
		"a shared secret that is the public certificate": func(text []byte) string {
			protected := headerOf("HS256", jwsType)
			mac := hmac.New(sha256.New, own)
			mac.Write([]byte(protected + "." + encode(text)))
			return protected + ".." + encode(mac.Sum(nil))
		},
		"a signature that was made for something else": func(text []byte) string {
			protected := headerOf("ES256", "JWT")
			return protected + ".." + encode(rawSignature(t, key, protected+"."+encode(text)))
		},
		"another key":  func(text []byte) string { return strangers(t, own, text) },
		"zeros":        func([]byte) string { return headerOf("ES256", jwsType) + ".." + encode(make([]byte, 64)) },
		"nothing":      func([]byte) string { return "" },
		"two dots":     func([]byte) string { return ".." },
		"more parts":   func([]byte) string { return "a..b.c" },
		"no JSON":      func([]byte) string { return encode([]byte("x")) + ".." + encode([]byte("y")) },
		"other base64": func(text []byte) string { return strings.Replace(genuine(t)(text), "..", "=..", 1) },
	} {
		file := seal(t, nothing, stream, sign)
		if _, err := OpenContainer(bytes.NewReader(file), int64(len(file)), anyone); !errors.Is(err, ErrSignature) && !errors.Is(err, ErrAltered) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func strangers(t *testing.T, certificate, text []byte) string {
	t.Helper()
	jws, err := signDetached(Signer{Key: fixedKey(t, "stranger"), Chain: [][]byte{certificate}}, text)
	if err != nil {
		t.Fatal(err)
	}
	return string(jws)
}

func TestManifestsOutOfBoundsAreRefused(t *testing.T) {
	t.Parallel()
	stream := zstdOf(t, nil)
	for name, c := range map[string]struct {
		change func(*Manifest)
		want   error
	}{
		"another format":       {func(m *Manifest) { m.Format = "x" }, ErrMalformed},
		"another version":      {func(m *Manifest) { m.Version = 2 }, ErrVersion},
		"neither":              {func(m *Manifest) { m.Response = nil }, ErrMalformed},
		"both":                 {func(m *Manifest) { m.Request = &RequestPart{} }, ErrMalformed},
		"a request that is no": {func(m *Manifest) { m.Kind = SyncRequest }, ErrMalformed},
		"no sequence":          {func(m *Manifest) { m.Sequence = 0 }, ErrMalformed},
		"no satellite":         {func(m *Manifest) { m.SatelliteID = "" }, ErrMalformed},
		"no account":           {func(m *Manifest) { m.Account.ID = "" }, ErrMalformed},
		"a bomb":               {func(m *Manifest) { m.Records.Size = 1 << 30 }, ErrTooLarge},
		"negative size":        {func(m *Manifest) { m.Records.Size = -1 }, ErrTooLarge},
		"negative count":       {func(m *Manifest) { m.Records.Count = -1 }, ErrTooLarge},
		"another packed size":  {func(m *Manifest) { m.Records.Packed++ }, ErrAltered},
		"a packed size of 8 E": {func(m *Manifest) { m.Records.Packed = 1<<63 - 1 }, ErrMalformed},
		"another digest":       {func(m *Manifest) { m.Records.SHA256 = strings.Repeat("0", 64) }, ErrAltered},
		"a record too many":    {func(m *Manifest) { m.Records.Count = 1 }, ErrAltered},
		"another kind":         {func(m *Manifest) { m.Records.Counts = map[RecordKind]int64{"x": 0} }, ErrAltered},
	} {
		if _, _, err := read(seal(t, c.change, stream, genuine(t))); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	trusts := errors.New("not trusted")
	file := seal(t, func(*Manifest) {}, stream, genuine(t))
	if _, err := OpenContainer(bytes.NewReader(file), int64(len(file)), func(Manifest, [][]byte) error { return trusts }); !errors.Is(err, trusts) {
		t.Errorf("without trust: %v", err)
	}
	if _, err := OpenContainer(bytes.NewReader(nil), MaxContainer+1, anyone); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the bound: %v", err)
	}
}

func zstdOf(t *testing.T, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithWindowSize(zstdWindow))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}

// Signed, but not what the manifest says: a faulty sender must cost neither memory nor sense.
func TestRecordsThatAreNotWhatTheManifestSaysAreRefused(t *testing.T) {
	t.Parallel()
	line := func(r Record) string { text, _ := r.Bytes(); return string(text) + "\n" }
	one := line(Record{Kind: RecordDevice, Key: "1", Value: json.RawMessage(`{"a":1}`)})
	count := func(n int64, text string) func(*Manifest) {
		return func(m *Manifest) {
			m.Records.Count, m.Records.Size = n, int64(len(text))
			m.Records.Counts = map[RecordKind]int64{RecordDevice: n}
		}
	}
	if _, list, err := read(seal(t, count(2, one+one), zstdOf(t, []byte(one+one)), genuine(t))); err != nil || len(list) != 2 {
		t.Fatalf("the honest one: %d, %v", len(list), err)
	}
	deep := `{"kind":"device","key":"1","value":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}\n"
	long := `{"kind":"device","key":"` + strings.Repeat("x", maxRecord) + "\"}\n"
	for name, c := range map[string]struct {
		change func(*Manifest)
		stream []byte
		want   error
	}{
		"more than is said":     {count(1, one), zstdOf(t, []byte(one+one)), nil},
		"less than is said":     {count(2, one+one), zstdOf(t, []byte(one)), ErrAltered},
		"much more than said":   {count(1, one), zstdOf(t, bytes.Repeat([]byte(one), 1_000_000)), nil},
		"zeros without an end":  {count(1, one), zstdOf(t, make([]byte, 64<<20)), nil},
		"nested deep":           {count(1, deep), zstdOf(t, []byte(deep)), ErrTooLarge},
		"a long line":           {count(1, long), zstdOf(t, []byte(long)), ErrTooLarge},
		"no JSON":               {count(1, one), zstdOf(t, bytes.Repeat([]byte("x"), len(one))), ErrMalformed},
		"not compressed":        {count(1, one), []byte(one), ErrMalformed},
		"not in canonical form": {count(1, " "+one), zstdOf(t, []byte(" "+one)), ErrMalformed},
	} {
		_, _, err := read(seal(t, c.change, c.stream, genuine(t)))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	stop := errors.New("stop")
	file := seal(t, count(2, one+one), zstdOf(t, []byte(one+one)), genuine(t))
	c, err := OpenContainer(bytes.NewReader(file), int64(len(file)), anyone)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	if err := c.Records(func(Record) error { seen++; return stop }); !errors.Is(err, stop) || seen != 1 {
		t.Errorf("%d records before %v", seen, err)
	}
	w, err := NewRecordWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Add(Record{Kind: RecordDevice, Key: strings.Repeat("x", maxRecord)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a record over the bound: %v", err)
	}
}
