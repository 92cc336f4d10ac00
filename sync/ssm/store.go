package ssm

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// readers is how many connections read while one writes.
const readers = 4

// store is the database: one connection that writes, a few that read. SQLite
// lets other processes in between the transactions; who comes too early waits
// for busyTimeout.
type store struct {
	writer, reader *gorm.DB
}

const busyTimeout = "10000" // milliseconds

func openStore(ctx context.Context, path string) (*store, error) {
	pragmas := url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_busy_timeout": {busyTimeout},
		"_foreign_keys": {"on"}, "_txlock": {"immediate"}, "_loc": {"UTC"},
		"_secure_delete": {"true"}, // what a privacy setting takes back is overwritten, also in free pages
	}
	s := &store{}
	var err error
	if s.writer, err = connect(path, pragmas, 1); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.writer); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), s.close())
	}
	pragmas.Set("_txlock", "deferred")
	pragmas.Set("_query_only", "on")
	if s.reader, err = connect(path, pragmas, readers); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func connect(path string, pragmas url.Values, connections int) (*gorm.DB, error) {
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: pragmas.Encode()}).String()
	db, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{
		Logger: logger.Discard, TranslateError: true, SkipDefaultTransaction: true, PrepareStmt: true,
	})
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return db, nil
}

func migrate(ctx context.Context, db *gorm.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func (s *store) close() error {
	var errs []error
	for _, db := range []*gorm.DB{s.reader, s.writer} {
		if db == nil {
			continue
		}
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// view reads one state of the database.
func (u *Upstream) view(ctx context.Context, do func(tx *gorm.DB) error) error {
	return u.store.reader.WithContext(ctx).Transaction(do)
}

// update keeps what do writes only if it returns nil.
func (u *Upstream) update(ctx context.Context, do func(tx *gorm.DB) error) error {
	return u.store.writer.WithContext(ctx).Transaction(do)
}
