package ssm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// uploadLimits bound what strangers can put on the disk.
type uploadLimits struct {
	perAddress int           // unfinished uploads
	inAll      int           // unfinished uploads
	bytes      int64         // of all that are announced
	life       time.Duration // from the first piece
	idle       time.Duration // after which another one of its address may take its place
}

var defaultUploadLimits = uploadLimits{perAddress: 8, inAll: 64, bytes: 4 * wire.MaxContainer, life: 24 * time.Hour, idle: 10 * time.Minute}

// uploads are requests on their way here, piece by piece. They outlive a restart.
type uploads struct {
	u      *Upstream
	dir    string
	limits uploadLimits
	append sync.Mutex // one chunk is appended at a time
}

type uploadRow struct {
	Digest    string `gorm:"primaryKey"`
	Size      int64
	Address   string
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
	TouchedAt time.Time
}

func (uploadRow) TableName() string { return "uploads" }

// errNoUpload says that nothing has come of a request yet, or not any more.
var errNoUpload = errors.New("nothing of this request is here")

// errUploads says that there is no room for another upload now.
var errUploads = errors.New("too many uploads are unfinished")

// errOffset says that a piece does not begin where the last one ended.
var errOffset = errors.New("the piece does not begin where the last one ended")

// newUploads goes on with what the last run left behind.
func newUploads(ctx context.Context, u *Upstream) (*uploads, error) {
	s := &uploads{u: u, dir: filepath.Join(u.dir, "uploads"), limits: defaultUploadLimits}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.sweep(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// sweep removes files that no row speaks of, as a crash leaves them.
func (s *uploads) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		digest, _ := strings.CutSuffix(entry.Name(), wire.RequestExtension)
		_, _, err := s.find(ctx, digest)
		if errors.Is(err, errNoUpload) {
			err = s.drop(ctx, digest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *uploads) path(digest string) string {
	return filepath.Join(s.dir, digest+wire.RequestExtension)
}

// isDigest keeps everything else out of paths.
func isDigest(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == 32 && hex.EncodeToString(raw) == text
}

// find tells how much of a request has come. errNoUpload.
func (s *uploads) find(ctx context.Context, digest string) (offset, size int64, err error) {
	var row uploadRow
	err = s.u.view(ctx, func(tx *gorm.DB) error { return tx.Where("digest = ?", digest).Take(&row).Error })
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !s.u.instant().Before(row.CreatedAt.Add(s.limits.life)) {
		return 0, 0, errNoUpload
	}
	if err != nil {
		return 0, 0, err
	}
	info, err := os.Stat(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, row.Size, nil
	}
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), row.Size, nil
}

// begin makes room for an upload, or goes on with it. errUploads where there is
// no room; ErrRefused where it was begun with another size.
func (s *uploads) begin(ctx context.Context, digest string, size int64, address string) error {
	now := s.u.instant()
	var gone []string
	err := s.u.update(ctx, func(tx *gorm.DB) error {
		var err error
		if gone, err = s.forget(tx, now); err != nil {
			return err
		}
		touched := tx.Model(&uploadRow{}).Where("digest = ?", digest).Update("touched_at", now)
		if touched.Error != nil {
			return touched.Error
		}
		if touched.RowsAffected > 0 {
			var row uploadRow
			if err := tx.Where("digest = ?", digest).Take(&row).Error; err != nil {
				return err
			}
			if row.Size != size {
				return refuse("this request has %d bytes, and was said to have %d; nothing was changed", size, row.Size)
			}
			return nil
		}
		evicted, err := s.room(tx, size, address, now)
		if err != nil {
			return err
		}
		gone = append(gone, evicted...)
		return tx.Create(&uploadRow{Digest: digest, Size: size, Address: address, CreatedAt: now, TouchedAt: now}).Error
	})
	if err != nil {
		return err
	}
	return s.unlink(gone)
}

// forget drops the rows of uploads that are too old.
func (s *uploads) forget(tx *gorm.DB, now time.Time) (gone []string, err error) {
	old := tx.Model(&uploadRow{}).Where("created_at <= ?", now.Add(-s.limits.life))
	if err := old.Pluck("digest", &gone).Error; err != nil || len(gone) == 0 {
		return nil, err
	}
	return gone, tx.Where("digest IN ?", gone).Delete(&uploadRow{}).Error
}

// room says errUploads where a new upload has none. A satellite that broke off
// again and again must not lock itself out: what lies idle from its own address
// makes room.
func (s *uploads) room(tx *gorm.DB, size int64, address string, now time.Time) (evicted []string, err error) {
	var all struct{ Number, Bytes, Own int64 }
	count := func() error {
		return tx.Raw(`SELECT count(*) AS number, coalesce(sum(size), 0) AS bytes, coalesce(sum(address = ?), 0) AS own FROM uploads`, address).Scan(&all).Error
	}
	full := func() bool {
		return all.Own >= int64(s.limits.perAddress) || all.Number >= int64(s.limits.inAll) || all.Bytes+size > s.limits.bytes
	}
	if err := count(); err != nil {
		return nil, err
	}
	for full() {
		var idle uploadRow
		err := tx.Where("address = ? AND touched_at <= ?", address, now.Add(-s.limits.idle)).Order("touched_at").Take(&idle).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, errUploads
		}
		if err != nil {
			return nil, err
		}
		if err := tx.Where("digest = ?", idle.Digest).Delete(&uploadRow{}).Error; err != nil {
			return nil, err
		}
		evicted = append(evicted, idle.Digest)
		if err := count(); err != nil {
			return nil, err
		}
	}
	return evicted, nil
}

// drop forgets an upload.
func (s *uploads) drop(ctx context.Context, digest string) error {
	err := s.u.update(ctx, func(tx *gorm.DB) error { return tx.Where("digest = ?", digest).Delete(&uploadRow{}).Error })
	if err != nil {
		return err
	}
	return s.unlink([]string{digest})
}

func (s *uploads) unlink(digests []string) error {
	var errs []error
	for _, digest := range digests {
		if err := os.Remove(s.path(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// put appends a piece that begins at start. What of it is here already is
// skipped, so that a piece may come twice, or over two connections at once; what
// came before it broke off is kept. It returns how much is here then. errOffset
// where there is a gap before the piece.
func (s *uploads) put(digest string, start int64, piece io.Reader) (offset int64, err error) {
	file, err := os.OpenFile(s.path(digest), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := piece.Read(buffer)
		if offset, err = s.appendBytes(file, start, buffer[:n]); err != nil {
			return offset, err
		}
		start += int64(n)
		if errors.Is(readErr, io.EOF) {
			return offset, nil
		}
		if readErr != nil {
			return offset, readErr
		}
	}
}

func (s *uploads) appendBytes(file *os.File, start int64, data []byte) (int64, error) {
	s.append.Lock()
	defer s.append.Unlock()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	offset := info.Size()
	if start > offset {
		return offset, fmt.Errorf("%w: it begins at %d, and %d bytes are here", errOffset, start, offset)
	}
	if known := offset - start; known < int64(len(data)) {
		if _, err := file.WriteAt(data[known:], offset); err != nil {
			return offset, err
		}
		offset = start + int64(len(data))
	}
	return offset, nil
}
