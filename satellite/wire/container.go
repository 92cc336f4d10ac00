package wire

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Media types and file extensions of the container.
const (
	RequestMediaType  = "application/vnd.software-license.sync-request"
	ResponseMediaType = "application/vnd.software-license.sync-response"
	RecordsMediaType  = "application/x-ndjson+zstd"
	RequestExtension  = ".ssmreq"
	ResponseExtension = ".ssmres"
)

// Bounds of a container.
const (
	MaxContainer = 4 << 30  // bytes of the whole file
	maxManifest  = 1 << 20  // bytes
	maxJWS       = 64 << 10 // bytes
	maxRecords   = 32 << 30 // bytes, uncompressed
	maxRecord    = 1 << 20  // bytes of one line
	maxRatio     = 200      // uncompressed to compressed; honest records reach about 30
	zstdWindow   = 8 << 20
)

// The entries of the archive, in the only order that is accepted.
const (
	manifestEntry  = "manifest.json"
	signatureEntry = "manifest.jws"
	recordsEntry   = "records.ndjson.zst"
)

// RecordWriter packs records into a temporary file, so that a million of them
// never sit in memory. Close removes the file.
type RecordWriter struct {
	file   *os.File
	packed *countingHash
	zip    *zstd.Encoder
	part   RecordsPart
}

type countingHash struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func (c *countingHash) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.hash.Write(p[:n])
	c.size += int64(n)
	return n, err
}

// NewRecordWriter makes the temporary file in dir; "" is the system's.
func NewRecordWriter(dir string) (*RecordWriter, error) {
	file, err := os.CreateTemp(dir, "records-*.zst")
	if err != nil {
		return nil, err
	}
	w := &RecordWriter{file: file, packed: &countingHash{w: file, hash: sha256.New()}}
	w.part = RecordsPart{Counts: map[RecordKind]int64{}, MediaType: RecordsMediaType}
	w.zip, err = zstd.NewWriter(w.packed, zstd.WithWindowSize(zstdWindow), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Add appends a record.
func (w *RecordWriter) Add(record Record) error {
	line, err := record.Bytes()
	if err != nil {
		return err
	}
	if len(line) > maxRecord {
		return fmt.Errorf("%w: record %s %s has %d bytes, at most %d are sent", ErrTooLarge, record.Kind, clip(record.Key), len(line), maxRecord)
	}
	if _, err := w.zip.Write(append(line, '\n')); err != nil {
		return err
	}
	w.part.Count++
	w.part.Counts[record.Kind]++
	w.part.Size += int64(len(line)) + 1
	return nil
}

// Close removes the temporary file.
func (w *RecordWriter) Close() error {
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}

// WriteTo finishes the records, fills them into the manifest, signs it, and
// writes the container. It returns the document's digest: the SHA-256 of the
// manifest's bytes, in hexadecimal.
func (w *RecordWriter) WriteTo(out io.Writer, manifest Manifest, signer Signer) (digest string, err error) {
	if err := w.zip.Close(); err != nil {
		return "", err
	}
	w.part.Packed = w.packed.size
	w.part.SHA256 = hex.EncodeToString(w.packed.hash.Sum(nil))
	manifest.Format, manifest.Version, manifest.Records = SyncFormat, SyncVersion, w.part
	text, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	jws, err := signDetached(signer, text)
	if err != nil {
		return "", err
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	archive := tar.NewWriter(out)
	for _, entry := range []struct {
		name string
		size int64
		body io.Reader
	}{
		{manifestEntry, int64(len(text)), bytes.NewReader(text)},
		{signatureEntry, int64(len(jws)), bytes.NewReader(jws)},
		{recordsEntry, w.part.Packed, w.file},
	} {
		if err := archive.WriteHeader(tarHeader(entry.name, entry.size)); err != nil {
			return "", err
		}
		if _, err := io.Copy(archive, entry.body); err != nil {
			return "", err
		}
	}
	return DocumentDigest(text), archive.Close()
}

// DocumentDigest names a document by its manifest.
func DocumentDigest(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return hex.EncodeToString(sum[:])
}

// tarHeader is the one form that an entry's header may have.
func tarHeader(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatUSTAR}
}

// Container is a sync document of which every byte has been checked: the
// signature over the manifest, the form of the archive, and the digest of the
// records. It reads from the file that it was opened on.
type Container struct {
	Manifest Manifest
	// Digest names the document.
	Digest string
	// Signer is the chain that signed it, own certificate first; empty for a registration.
	Signer [][]byte

	records *io.SectionReader
}

// Trust judges who signed a document: it returns nil if the chain may speak for
// the manifest. For a registration the chain is empty, and the signature has
// been checked under the key of the certificate request in the manifest.
type Trust func(manifest Manifest, chain [][]byte) error

// OpenContainer reads a container of size bytes. Only the canonical form is
// accepted: fixed order and metadata of the entries, zero padding, nothing
// behind the end. Nothing is decompressed before the signature is trusted.
//
// It returns ErrTooLarge, ErrMalformed, ErrVersion, ErrSignature, ErrAltered,
// or the error of trust.
func OpenContainer(file io.ReaderAt, size int64, trust Trust) (*Container, error) {
	if size > MaxContainer {
		return nil, fmt.Errorf("%w: a file of %d bytes, at most %d are read", ErrTooLarge, size, int64(MaxContainer))
	}
	r := &tarReader{file: file, size: size}
	manifestText, err := r.bytes(manifestEntry, maxManifest)
	if err != nil {
		return nil, err
	}
	jws, err := r.bytes(signatureEntry, maxJWS)
	if err != nil {
		return nil, err
	}
	c := &Container{Digest: DocumentDigest(manifestText)}
	if err := readManifest(manifestText, &c.Manifest); err != nil {
		return nil, err
	}
	if c.Signer, err = verifyDetached(jws, manifestText, c.Manifest); err != nil {
		return nil, err
	}
	if err := trust(c.Manifest, c.Signer); err != nil {
		return nil, err
	}
	if c.records, err = r.section(recordsEntry, c.Manifest.Records.Packed); err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, c.records); err != nil {
		return nil, err
	}
	if hex.EncodeToString(sum.Sum(nil)) != c.Manifest.Records.SHA256 {
		return nil, fmt.Errorf("%w: the records are not those that the manifest names", ErrAltered)
	}
	return c, nil
}

func readManifest(text []byte, manifest *Manifest) error {
	if depth(text) > maxDepth {
		return fmt.Errorf("%w: the manifest is nested deeper than %d", ErrTooLarge, maxDepth)
	}
	if err := json.Unmarshal(text, manifest); err != nil {
		return fmt.Errorf("%w: the manifest is not the JSON it must be: %v", ErrMalformed, err)
	}
	m := manifest
	if m.Format != SyncFormat {
		return fmt.Errorf("%w: this is not a sync document", ErrMalformed)
	}
	if m.Version != SyncVersion {
		return fmt.Errorf("%w %d of the sync document, this program reads %d: update the program that is older", ErrVersion, m.Version, SyncVersion)
	}
	if (m.Kind == SyncRequest) != (m.Request != nil) || (m.Kind == SyncResponse) != (m.Response != nil) || (m.Request == nil) == (m.Response == nil) {
		return fmt.Errorf("%w: the manifest is neither a request nor a response", ErrMalformed)
	}
	if m.Sequence < 1 || m.SatelliteID == "" || m.Account.ID == "" {
		return fmt.Errorf("%w: the manifest names no sequence, satellite or account", ErrMalformed)
	}
	r := m.Records
	if r.Size < 0 || r.Count < 0 || r.Packed < 0 || r.Size > maxRecords || r.Size > maxRatio*(r.Packed+1024) {
		return fmt.Errorf("%w: the records are said to unpack from %d to %d bytes", ErrTooLarge, r.Packed, r.Size)
	}
	return nil
}

// Records calls each for every record, in order. It stops at the first error
// of each, and fails with ErrAltered or ErrMalformed where the stream is not
// what the manifest says: so nothing that each did may be kept before Records
// has returned nil.
func (c *Container) Records(each func(Record) error) error {
	if _, err := c.records.Seek(0, io.SeekStart); err != nil {
		return err
	}
	unzip, err := zstd.NewReader(c.records, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	defer unzip.Close()
	want := c.Manifest.Records
	limited := &io.LimitedReader{R: unzip, N: want.Size + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 64<<10), maxRecord+1)
	got := RecordsPart{Counts: map[RecordKind]int64{}}
	for lines.Scan() {
		var record Record
		if depth(lines.Bytes()) > maxDepth {
			return fmt.Errorf("%w: record %d is nested deeper than %d", ErrTooLarge, got.Count+1, maxDepth)
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return fmt.Errorf("%w: record %d is not the JSON it must be: %v", ErrMalformed, got.Count+1, err)
		}
		// The digest covers the bytes as sent: a record has one form only.
		if canonical, err := record.Bytes(); err != nil || !bytes.Equal(canonical, lines.Bytes()) {
			return fmt.Errorf("%w: record %d is not in canonical form", ErrMalformed, got.Count+1)
		}
		got.Count++
		got.Counts[record.Kind]++
		got.Size += int64(len(lines.Bytes())) + 1
		if err := each(record); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: record %d: %v", ErrMalformed, got.Count+1, err)
	}
	if got.Count != want.Count || got.Size != want.Size || !sameCounts(got.Counts, want.Counts) {
		return fmt.Errorf("%w: the file holds %d records in %d bytes, the manifest says %d in %d", ErrAltered, got.Count, got.Size, want.Count, want.Size)
	}
	return nil
}

func sameCounts(a, b map[RecordKind]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for kind, n := range a {
		if b[kind] != n {
			return false
		}
	}
	return true
}

// tarReader walks an archive that must have exactly the bytes that this
// package would have written.
type tarReader struct {
	file io.ReaderAt
	size int64
	at   int64
}

const tarBlock = 512

var errCut = fmt.Errorf("%w: the file ends too early", ErrAltered)

// section checks the header of the next entry and the padding behind it. With
// size -1 the size is taken from the header.
func (r *tarReader) section(name string, size int64) (*io.SectionReader, error) {
	var header [tarBlock]byte
	if _, err := r.file.ReadAt(header[:], r.at); err != nil {
		return nil, errCut
	}
	if size < 0 {
		parsed, err := tar.NewReader(bytes.NewReader(header[:])).Next()
		if err != nil {
			return nil, fmt.Errorf("%w: this is not a sync document", ErrMalformed)
		}
		size = parsed.Size
	}
	var canonical bytes.Buffer
	if err := tar.NewWriter(&canonical).WriteHeader(tarHeader(name, size)); err != nil {
		return nil, fmt.Errorf("%w: entry %s: %v", ErrMalformed, name, err)
	}
	if !bytes.Equal(header[:], canonical.Bytes()) {
		return nil, fmt.Errorf("%w: entry %s does not stand where and as it must", ErrAltered, name)
	}
	start := r.at + tarBlock
	padded := (size + tarBlock - 1) / tarBlock * tarBlock
	if size > r.size || start+padded > r.size {
		return nil, errCut
	}
	if err := r.zeros(start+size, padded-size); err != nil {
		return nil, err
	}
	r.at = start + padded
	return io.NewSectionReader(r.file, start, size), nil
}

func (r *tarReader) bytes(name string, limit int64) ([]byte, error) {
	section, err := r.section(name, -1)
	if err != nil {
		return nil, err
	}
	if section.Size() > limit {
		return nil, fmt.Errorf("%w: entry %s has %d bytes, at most %d are read", ErrTooLarge, name, section.Size(), limit)
	}
	return io.ReadAll(section)
}

// end checks that two blocks of zeros close the file.
func (r *tarReader) end() error {
	if r.size != r.at+2*tarBlock {
		if r.size < r.at+2*tarBlock {
			return errCut
		}
		return fmt.Errorf("%w: something stands behind the end", ErrAltered)
	}
	return r.zeros(r.at, 2*tarBlock)
}

func (r *tarReader) zeros(at, count int64) error {
	padding := make([]byte, count)
	if _, err := r.file.ReadAt(padding, at); err != nil {
		return errCut
	}
	for _, b := range padding {
		if b != 0 {
			return fmt.Errorf("%w: the padding is not zero", ErrAltered)
		}
	}
	return nil
}
