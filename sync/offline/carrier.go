// Package offline is the carrier by file: it puts the documents of a sync
// exchange on a disk and takes them from there, and it tells a person who is
// about to carry such a file what is in it. What the documents say and who may
// sign them is not its business.
package offline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ssm/satellite/wire"
)

// fileMode keeps the inventory of a closed zone from other users of the machine.
const fileMode = 0o600

// WriteFile puts what write writes at path, durable when it returns nil: after
// an error or a crash either the old file is there or the whole new one, never
// a part. The folder must exist.
func WriteFile(path string, write func(io.Writer) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("%s was not written: %w", path, err)
	}
	buffer := bufio.NewWriterSize(temp, 64<<10)
	err = write(buffer)
	if err == nil {
		err = buffer.Flush()
	}
	if err == nil {
		err = temp.Chmod(fileMode)
	}
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("%s was not written, what was there is unchanged: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a renamed entry of the folder durable.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open opens a sync document for reading and returns its size in bytes.
// wire.ErrTooLarge where it is longer than any document may be.
func Open(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case info.Size() > wire.MaxContainer:
		err = fmt.Errorf("%w: %s has %d bytes, at most %d are read", wire.ErrTooLarge, path, info.Size(), int64(wire.MaxContainer))
	}
	if err != nil {
		_ = file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// Spool takes an upload of at most limit bytes into a file in dir that has no
// name any more: it is gone when it is closed, and after a crash, too.
// wire.ErrTooLarge where r holds more.
func Spool(r io.Reader, dir string, limit int64) (*os.File, int64, error) {
	file, err := os.CreateTemp(dir, "upload-*")
	if err != nil {
		return nil, 0, err
	}
	size := int64(0)
	if err = os.Remove(file.Name()); err == nil {
		size, err = io.Copy(file, io.LimitReader(r, limit+1))
	}
	if err == nil && size > limit {
		err = fmt.Errorf("%w: an upload of more than %d bytes", wire.ErrTooLarge, limit)
	}
	if err != nil {
		_ = file.Close()
		return nil, 0, err
	}
	return file, size, nil
}

// FileName proposes a name for a document: the account, the sequence number and
// the extension of its kind, in characters that every file system takes.
func FileName(m wire.Manifest) string {
	account := slug(m.Account.Name)
	if account == "" {
		account = slug(m.Account.ID)
	}
	if account == "" {
		account = "account"
	}
	extension := wire.RequestExtension
	if m.Kind == wire.SyncResponse {
		extension = wire.ResponseExtension
	}
	return account + "-" + strconv.FormatInt(m.Sequence, 10) + extension
}

// slug keeps a-z and 0-9 of a name, joined by single hyphens, at most 64 characters.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	text := strings.Join(words, "-")
	return strings.Trim(text[:min(len(text), 64)], "-")
}
